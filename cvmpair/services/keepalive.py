"""
Peers that vanish without a word: a machine that is switched off, a network that is
cut. Twisted alone would keep their connections for ever, and whoever waits on one.
And peers that do not read: the kernel alone would keep 4 MiB of answers for each.
"""

import socket
from typing import Any, Final

IDLE: Final = 60
"""The seconds of silence after which the peer is asked whether it is still there."""

INTERVAL: Final = 15
"""The seconds after which it is asked again."""

PROBES: Final = 4
"""How often it is asked before it is given up."""

USER_TIMEOUT: Final = 60
"""The seconds after which a peer is given up that takes nothing of what was sent."""

SEND_BUFFER: Final = 64 * 1024
"""The bytes of answers that the kernel keeps for a peer; it takes twice as many."""


def find_vanished_peers(port: Any) -> None:
    """
    Have the kernel end the connections of vanished peers, within two minutes, and keep
    little for those that do not read.

    What is set on the socket that listens holds for all that it accepts (tcp(7)), and
    costs nothing for each of them.

    :param port: a listening port of Twisted; one that is no TCP is left alone.
    """
    listening = getattr(port, "socket", None)
    if listening is None or listening.family not in (socket.AF_INET, socket.AF_INET6):
        return
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    for option, value in (
        (socket.TCP_KEEPIDLE, IDLE),
        (socket.TCP_KEEPINTVL, INTERVAL),
        (socket.TCP_KEEPCNT, PROBES),
        (socket.TCP_USER_TIMEOUT, USER_TIMEOUT * 1000),
    ):
        listening.setsockopt(socket.IPPROTO_TCP, option, value)
