"""
Whether a daemon that runs can save, as its administration says.
"""

import socket
import ssl
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final

PATIENCE: Final = 10.0
"""The seconds that it has; it gives up by itself after five."""


def readiness(place: tuple[str, int] | str, *, tls: bool) -> str | None:
    """
    Ask ``/readyz``, which makes the daemon write the time over the one in its state.

    :param place: where the daemon itself listens, so that it is not looked at who is
        there: the interface and the port, or the path of a UNIX socket.
    :return: what it says against it, in one line; empty if nothing, and ``None`` if it
        cannot be asked.
    """
    try:
        with closing(_connection(place, tls=tls)) as connection:
            connection.request("GET", "/readyz", headers={"Accept": "text/plain"})
            answer = connection.getresponse()
            text = " ".join(answer.read(1000).decode("utf-8", "replace").split())
    except (OSError, HTTPException):
        return None
    if answer.status == HTTPStatus.OK:
        return ""
    # No other is defined there.
    return text if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else None


def _connection(place: tuple[str, int] | str, *, tls: bool) -> HTTPConnection:
    if isinstance(place, str):
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(PATIENCE)
        plain.connect(place)
    else:
        interface, port = place
        plain = socket.create_connection((interface or "localhost", port), PATIENCE)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = context.wrap_socket(plain)
    connection = HTTPConnection("localhost")
    connection.sock = plain
    return connection
