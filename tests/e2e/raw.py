"""
HTTP by hand, for requests that no library would send.
"""

import json
import socket


def receive(client: socket.socket) -> bytes:
    """
    Return all that comes until the connection ends.
    """
    received = b""
    try:
        while data := client.recv(65536):
            received += data
    except ConnectionResetError:
        # The rest of what the client sent was not wanted.
        pass
    return received


def check_refusal(answer: bytes, status: int) -> dict[str, object]:
    """
    See to it that there is one answer, a problem of that status, and return it.
    """
    assert answer.count(b"HTTP/1.1 ") == 1
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nContent-Type: application/problem+json" in head
    assert b"\r\nConnection: close" in head
    problem = json.loads(body)
    assert problem["status"] == status
    return problem


def head(path: str, *lines: str) -> bytes:
    """
    Return the headers of a POST, with more lines.
    """
    all_lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        *lines,
    ]
    return "\r\n".join([*all_lines, "", ""]).encode()
