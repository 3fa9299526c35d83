"""
TLS just as the agent speaks it, so that both trust the same servers; but it blocks.
"""

import socket
from collections.abc import Callable
from http.client import HTTPConnection
from io import BufferedReader, RawIOBase
from typing import Any, Final, TypeVar

from attrs import define, field
from OpenSSL.SSL import Connection, WantReadError, ZeroReturnError
from OpenSSL.SSL import Error as TLSError
from twisted.python.failure import Failure

from cvmpair.client.failures import MAY_BE_PLAIN

T = TypeVar("T")

_SIZE: Final = 65536


class AgentHTTPSConnection(HTTPConnection):
    """
    Connects as the agent does.

    :param policy: that of :func:`cvmpair.client.tls.https_policy`.
    """

    def __init__(self, host: str, port: int, *, timeout: float, policy: Any) -> None:
        super().__init__(host, port, timeout=timeout)
        self._policy = policy

    def connect(self) -> None:
        """
        Connect and make sure of the server.

        :raises ClientError: if the agent would not trust it; the text says why.
        :raises OSError: if no connection comes about.
        """
        super().connect()
        judge: Any = _Judge()
        creator = self._policy.creatorForNetloc(self.host.encode(), self.port)
        stream = _Stream(self.sock, creator.clientConnectionForTLS(judge))
        self.sock: Any = stream
        try:
            stream.begin()
        except OSError:
            if judge.objection is not None:
                raise judge.objection from None
            raise


@define(eq=False)
class _Judge:
    """
    Takes the place of Twisted's protocol, which is told why a server is not trusted.
    """

    objection: BaseException | None = field(init=False, default=None)

    def failVerification(self, failure: Failure) -> None:
        self.objection = failure.value


class _Stream(RawIOBase):
    """
    As much of a socket as ``http.client`` makes use of.
    """

    def __init__(self, plain: socket.socket, tls: Connection) -> None:
        super().__init__()
        self._plain = plain
        self._tls = tls

    def begin(self) -> None:
        self._tls.set_connect_state()
        self._run(self._tls.do_handshake)

    def sendall(self, data: bytes) -> None:
        self._run(lambda: self._tls.sendall(data))

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return self._run(lambda: self._tls.recv_into(buffer))
        except ZeroReturnError:
            return 0

    def close(self) -> None:
        super().close()
        self._plain.close()

    def _run(self, call: Callable[[], T]) -> T:
        while True:
            try:
                result = call()
            except WantReadError:
                self._flush()
                data = self._plain.recv(_SIZE)
                if not data:
                    raise ConnectionError("the connection was closed") from None
                self._tls.bio_write(data)
            except ZeroReturnError:
                raise
            except TLSError:
                raise ConnectionError(
                    f"no encrypted connection comes about: {MAY_BE_PLAIN}"
                ) from None
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        try:
            while True:
                self._plain.sendall(self._tls.bio_read(_SIZE))
        except WantReadError:
            pass
