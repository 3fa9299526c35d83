"""
What may be put into a context as the master's address.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair_agent.context.host import check_host


@pytest.mark.parametrize(
    "text",
    [
        "10.10.25.5",
        "2001:db8::25",
        "::ffff:10.0.0.1",
        "master",
        "localhost",
        "node-1.cluster.example.org",
        "3com.com",
        "a" * 63 + ".b",
    ],
)
def test_hosts(text: str) -> None:
    assert check_host(text) == text
    assert check_host(f" {text}\r\n") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sesame_",
        "-sesame",
        "sesame-",
        "sesame..a",
        "sesame/b&c\\1",
        "sesame b",
        "sesame\nb",
        "$(sesame)",
        "sésame",
        "[::1]",
        "fe80::1%sesame",
        "fe80::1%$(sesame)",
        "10.0.0",
        "10.0.0.256",
        "010.0.0.1",
        "10.0.0.1:80",
        "a" * 64,
        ".".join(["a" * 49] * 6),
    ],
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match="neither an IP address nor") as caught:
        check_host(text)
    assert "sesame" not in str(caught.value)


@given(st.text())
def test_nothing_that_a_shell_would_notice(text: str) -> None:
    try:
        host = check_host(text)
    except ValueError:
        return
    assert host.replace(".", "").replace("-", "").replace(":", "").isalnum()
    assert host.isascii()
