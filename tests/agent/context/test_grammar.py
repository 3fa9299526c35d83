"""
The lines of the section.
"""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair_agent.context.grammar import BEGIN, END, parse, render

PIN = "enico1qq0oey"
KEY = "cvm_cluster_pin"


def values(text: str) -> dict[str, str]:
    section = parse(text)
    assert section is not None
    return {entry.key: entry.value for entry in section.entries}


@pytest.mark.parametrize(
    "text",
    [
        f"{BEGIN}\n{KEY}={PIN}\n{END}\n",
        f"{BEGIN}\r\n{KEY}={PIN}\r\n{END}\r\n",
        f" {BEGIN} \n{KEY}={PIN}\n\t{END}\n",
        f"{BEGIN}\nCVM_Cluster_Pin = '{PIN}'\n{END}",
        f'{BEGIN}\nCVM_Cluster_Pin = "{PIN}"\n{END}',
        f"{END}\n{BEGIN}\n{KEY}={PIN}\n{END}\n",
        f"{BEGIN}\n{KEY}={PIN}",
        f"text\n\n{BEGIN}\n\n# {KEY}=no\n;{KEY}=no\n{KEY}={PIN}\n{END}\nkey=value\n",
        f"{BEGIN}\n{KEY}={PIN}\n{END}\n{BEGIN}\n{KEY}=other\n{END}\n",
    ],
)
def test_all_these_say_the_same(text: str) -> None:
    assert values(text) == {KEY: PIN}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abcd",
        END,
        f"{KEY}={PIN}",
        f"# {BEGIN}",
        "[ucernvm_begin]",
        "[UCERNVM-BEGIN]",
    ],
)
def test_these_are_no_sections(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("k=v=w", "v=w"),
        ("k =  v w ", "v w"),
        ("k=", ""),
        ("k=\"v'", "\"v'"),
        ("k='it's'", "it's"),
        ("k=\"'v'\"", "'v'"),
        ("k='", "'"),
        ("k=''", ""),
        ("k=' v '", " v "),
        ("k=$(touch x);`y` # z", "$(touch x);`y` # z"),
        ("k=a\rb", "a\rb"),
    ],
)
def test_values(line: str, value: str) -> None:
    assert values(f"{BEGIN}\n{line}\n{END}") == {"k": value}


def test_the_last_of_a_key_counts() -> None:
    section = parse(f"{BEGIN}\nkey=1\nother=2\nKEY=3\n{END}")
    assert section is not None
    entry = section.get("Key")
    assert entry is not None
    assert (entry.value, entry.line) == ("3", 4)
    assert section.warnings == ("Line 4 sets key again; the last counts.",)
    assert section.get("missing") is None


@pytest.mark.parametrize(
    "line", ["sesame", "cvm_cluster_pin: sesame", "=sesame", "1k=sesame", "a b=sesame"]
)
def test_what_is_ignored_is_told_without_its_text(line: str) -> None:
    section = parse(f"#!/bin/sh\n{BEGIN}\n{line}\n{END}")
    assert section is not None
    assert section.entries == ()
    assert section.warnings == ("Line 3 is not KEY=VALUE and is ignored.",)


def test_where_the_section_is() -> None:
    section = parse(f"{END}\n{BEGIN}\nk=v\n{END}\n{BEGIN}\n")
    assert section is not None
    assert (section.begin, section.end) == (2, 4)
    assert section.warnings == ("Line 5 begins another section, which is ignored.",)


def test_a_section_without_an_end() -> None:
    section = parse(f"\n{BEGIN}\nk=v\n")
    assert section is not None
    assert (section.begin, section.end) == (2, None)
    assert section.warnings == (
        "The section that begins in line 2 has no [ucernvm-end].",
    )


def test_no_value_in_a_repr() -> None:
    assert "sesame" not in repr(parse(f"{BEGIN}\nk=sesame\n{END}"))


keys = st.text(string.ascii_lowercase, min_size=1) | st.from_regex(
    "[a-z][a-z0-9_]*", fullmatch=True
)


@given(st.dictionaries(keys, st.text(), max_size=5))
def test_what_was_rendered_is_read(pairs: dict[str, str]) -> None:
    try:
        text = render(pairs)
    except ValueError:
        assert any("\n" in v or "'" in v for v in pairs.values())
        return
    section = parse(f"before\n{text}after\n")
    assert section is not None
    assert {entry.key: entry.value for entry in section.entries} == pairs
    assert section.warnings == ()
    assert (section.begin, section.end) == (2, len(pairs) + 3)


def test_older_agents_read_what_was_rendered() -> None:
    text = render({KEY: PIN, "a": "b c", "d": "it's", "cvm_service_url": "http://h:1/"})
    assert text == (
        f"{BEGIN}\n{KEY}={PIN}\na='b c'\nd=\"it's\"\ncvm_service_url=http://h:1/\n{END}\n"
    )


@pytest.mark.parametrize("value", ["'$(sesame)", "sesame'\"", "sesame\nx", "'`sesame`"])
def test_what_older_agents_would_evaluate_is_not_rendered(value: str) -> None:
    with pytest.raises(ValueError, match="The value of k has") as caught:
        render({"k": value})
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "1k", "a b", "é", "a=b"])
def test_what_is_no_key_is_not_rendered(key: str) -> None:
    with pytest.raises(ValueError, match="is not a key"):
        render({key: "v"})


@given(st.text())
def test_no_text_does_harm(text: str) -> None:
    section = parse(f"{BEGIN}\n{text}")
    assert section is not None
    assert section.begin == 1
