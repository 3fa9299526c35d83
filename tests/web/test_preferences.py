"""
``Prefer``: which of all that clients send is a wish to wait.
"""

import pytest
from attrs import define
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.web.http_headers import Headers

from cvmpair.web.preferences import wait_of


@define
class Asked:
    """
    As much of a request as is looked at.
    """

    requestHeaders: Headers


def wait(*lines: bytes) -> int:
    return wait_of(Asked(Headers({b"Prefer": list(lines)} if lines else {})))


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"wait=60", 60),
        (b"WAIT=60", 60),
        (b" wait = 60 ", 60),
        (b'wait="60"', 60),
        (b"wait=060", 60),
        (b"wait=0", 0),
        (b"wait=999999999", 999_999_999),
        (b"respond-async, wait=60", 60),
        (b"respond-async,wait=60,return=minimal", 60),
        (b",, ,wait=60,", 60),
        (b"wait=60; sesame", 60),
        (b'wait=60; sesame="a, wait=1"', 60),
        (b'sesame="a, wait=1", wait=60', 60),
        (b'sesame="\\", wait=1", wait=60', 60),
        (b"sesame; wait=1, wait=60", 60),
        (b"wait=60, wait=1", 60),
        (b"return=minimal; wait=1", 0),
        (b"@@, wait=60", 60),
        (b"waiting=60", 0),
        (b"x-wait=60", 0),
        (b"wait", 0),
        (b"wait=", 0),
        (b'wait=""', 0),
        (b"wait=, wait=60", 0),
        (b"wait=sesame, wait=60", 0),
        (b"wait=-1", 0),
        (b"wait=+1", 0),
        (b"wait=1.5", 0),
        (b"wait=60s", 0),
        (b"wait=6 0", 0),
        (b"wait=60 sesame", 0),
        (b"wait=\xb9", 0),
        (b"wait=1000000000", 0),
        (b'wait="60', 0),
        (b"", 0),
    ],
)
def test_one_line(line: bytes, seconds: int) -> None:
    assert wait(line) == seconds


def test_several_lines_are_one_list() -> None:
    assert wait(b"return=minimal", b"wait=60", b"wait=1") == 60
    assert wait() == 0


@given(st.text(st.sampled_from('wait=60;," \\\t@\u00b9'), max_size=40))
@example('"' * 16_000)
@example('\\"' * 8_000)
@example("wait=" + " " * 16_000 + "@")
@example("wait" + " " * 16_000 + "@")
@example("," * 16_000)
@example("wait=" + "1" * 16_000)
def test_nothing_is_too_strange(text: str) -> None:
    assert wait(text.encode("latin-1")) >= 0
