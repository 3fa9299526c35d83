"""
The variables that a ``context.sh`` sets, without running it.

Others source the file as root. :mod:`shlex` reads the same words, but its time grows
with the square of their length, and the user data are one word.
"""

import re
from collections.abc import Iterator
from typing import Final

_PIECE: Final = re.compile(
    rb"""
      '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]++|\\.)*+)"
    | \\(?P<escaped>.)
    | (?P<end>[\s;]+ | (?<![^\s;])\#[^\n]*)
    | (?P<plain>[^\s;'"\\]+)
    """,
    re.VERBOSE | re.DOTALL,
)
"""What the words of a shell are made of; only an open quote matches nothing."""

_IN_DOUBLE_QUOTES: Final = re.compile(rb"\\([$`\"\\\n])")
"""The only characters that a backslash there stands before."""

_ASSIGNMENT: Final = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


def read_variables(script: bytes) -> dict[str, bytes]:
    """
    Return what the assignments of a shell script say, the last of each name.

    Nothing is expanded: ``$(touch x)`` and ``$HOME`` stand for themselves.

    :raises ValueError: if a quote is not closed.
    """
    matches = (_ASSIGNMENT.fullmatch(word) for word in _words(script))
    return {match[1].decode(): match[2] for match in matches if match}


def _words(script: bytes) -> Iterator[bytes]:
    word: list[bytes] = []
    position = 0
    while position < len(script):
        match = _PIECE.match(script, position)
        if match is None:
            line = script.count(b"\n", 0, position) + 1
            raise ValueError(f"line {line}: a quote is not closed")
        position = match.end()
        if match["end"] is None:
            word.append(_unquote(match))
        elif word:
            yield b"".join(word)
            word = []
    yield b"".join(word)


def _unquote(match: re.Match[bytes]) -> bytes:
    if match.lastgroup == "double":
        return _IN_DOUBLE_QUOTES.sub(_unescape, match["double"])
    if match.lastgroup == "escaped":
        return _unescape(match)
    return match[match.lastgroup or 0]


def _unescape(match: re.Match[bytes]) -> bytes:
    # A backslash before the end of a line joins it with the next.
    escaped = match[0][1:]
    return b"" if escaped == b"\n" else escaped
