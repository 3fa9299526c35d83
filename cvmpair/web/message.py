"""
Answers as bytes.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from itertools import chain
from typing import Final, cast

from klein import Response
from twisted.web.http import datetimeToString
from twisted.web.server import version

HTTP_1_1: Final = b"HTTP/1.1"


@lru_cache
def status_line(code: int) -> bytes:
    """
    Return a status as the first line of an answer ends with it.
    """
    return f"{code} {HTTPStatus(code).phrase}".encode()


def message(
    response: Response,
    date: bytes,
    *,
    closing: bool,
    protocol: bytes = HTTP_1_1,
    without_body: bool = False,
) -> bytes:
    """
    Return the whole of an answer.

    Its headers are ours to the last byte: nothing in them was sent by a client
    without having been checked.

    :param closing: whether the connection ends with it.
    :param without_body: whether it is the answer to HEAD.
    """
    headers = cast("Mapping[bytes, bytes]", response.headers)
    form = _form(len(headers), closing)
    return form % (
        protocol,
        status_line(response.code),
        date,
        *chain.from_iterable(headers.items()),
        b"" if without_body else response.body or b"",
    )


@lru_cache
def _form(headers: int, closing: bool) -> bytes:  # noqa: FBT001
    # To fill in one form takes half as long as to join lines.
    lines = [
        b"%b %b",
        b"Server: " + version,
        b"Date: %b",
        *[b"%b: %b"] * headers,
        *[b"Connection: close"] * closing,
        b"",
        b"%b",
    ]
    return b"\r\n".join(lines)


class Dates:
    """
    The ``Date`` of answers, made once a second: it has no more to say than that.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        """
        :param seconds: a clock; not that which the date is read from, so a date may
            be a second old.
        """
        self._seconds = seconds
        self._second: int | None = None
        self._date = b""

    def now(self) -> bytes:
        """
        Return the present one.
        """
        second = int(self._seconds())
        if second != self._second:
            self._second = second
            self._date = datetimeToString()
        return self._date
