"""
The variables of a shell script, without a shell.
"""

import shlex
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair_agent.userdata.context_sh import read_variables

SCRIPTS = [
    b"A=plain",
    b"A='one' B='two'; C='three'\nD=\n",
    b"A='a'\\''b'\n",
    b"A='several\nlines\n'\nB=\"and\nhere\"\n",
    b'A="x\\"y\\\\z\\$HOME\\`\\n"\n',
    b'A="joined \\\nline" B=joi\\\nned\n',
    b"# A='comment\nA=x#y # 'more\nB=''#z\n",
    b"A=1\nA=2\n",
    b"export A='1'\nA=b'c'\"d\"\\ e\n",
    b"A='\xff\xfe \xc3\xa9'\r\n",
    b"A=' ; # \\ '\n\n\nB=2;# B=1\n",
    b"A=a\\'b B=\\\"\n",
    b"",
]


def sourced(script: bytes) -> dict[str, bytes]:
    """
    Return what a real shell makes of it.
    """
    names = b"A B C D".split()
    show = b"".join(b'\nprintf "%%s\\0" "${%s-unset}"' % name for name in names)
    command = ["sh", "-c", script + b"\n" + show]
    output = subprocess.run(command, check=True, capture_output=True, env={}).stdout
    values = zip(names, output.split(b"\0"), strict=False)
    return {name.decode(): value for name, value in values if value != b"unset"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_as_a_shell_would(script: bytes) -> None:
    # A shell takes a carriage return for a letter; here it is a blank.
    assert read_variables(script) == sourced(script.replace(b"\r", b""))


@pytest.mark.parametrize(
    "value", [b"$(touch x)", b"`touch x`", b"${HOME}", b"$HOME", b"a;touch x", b"!!"]
)
@pytest.mark.parametrize("quote", [b"'", b'"'])
def test_nothing_is_expanded(value: bytes, quote: bytes) -> None:
    assert read_variables(b"A=%s%s%s" % (quote, value, quote)) == {"A": value}


@pytest.mark.parametrize(
    ("script", "line"),
    [
        (b"A='sesame", 1),
        (b'A=1\nB="sesame\\"\n', 2),
        (b"A='sesame'\n\nB='sesame'\\", 3),
    ],
)
def test_an_open_quote(script: bytes, line: int) -> None:
    with pytest.raises(ValueError, match=rf"^line {line}: a quote is not closed$"):
        read_variables(script)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]*", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_what_was_quoted_is_read_back(values: dict[str, str]) -> None:
    script = "".join(f"{name}={shlex.quote(text)}\n" for name, text in values.items())
    expected = {name: text.encode() for name, text in values.items()}
    assert read_variables(script.encode()) == expected


@given(st.binary())
def test_any_bytes(script: bytes) -> None:
    # Only ValueError.
    with suppress(ValueError):
        read_variables(script)


@given(st.text("ab'\"x"))
def test_words_in_quotes_are_those_of_shlex(text: str) -> None:
    script = f"A={text}"
    try:
        (word,) = shlex.split(script)
    except ValueError:
        with pytest.raises(ValueError, match="quote"):
            read_variables(script.encode())
    else:
        assert read_variables(script.encode()) == {"A": word[2:].encode()}


def test_a_huge_word() -> None:
    value = b"x" * 1024 * 1024
    assert read_variables(b"A='" + value + b"'") == {"A": value}
