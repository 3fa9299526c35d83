"""
The metadata server of a cloud, for one machine, as EC2 has it: with tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from attrs import define, field

TOKEN = "secret-sesame-token"
USER_DATA = "/latest/user-data"


@define(eq=False)
class MetadataServer:
    """
    Hands out user data to those who have got a token before.

    :ivar others: further answers, by their paths.
    :ivar asked: the paths of all requests, as they came.
    """

    user_data: bytes
    others: dict[str, bytes] = field(factory=dict)
    asked: list[str] = field(factory=list)
    url: str = ""

    def answer(self, method: str, path: str, headers: dict[str, str]) -> bytes | int:
        """
        Return what is there, or the status that says why there is nothing.
        """
        self.asked.append(path)
        if (method, path) == ("PUT", "/latest/api/token"):
            return TOKEN.encode()
        if method != "GET":
            return 405
        if headers.get("x-aws-ec2-metadata-token") != TOKEN:
            return 401
        return {USER_DATA: self.user_data, **self.others}.get(path, 404)


@contextmanager
def serving(server: MetadataServer) -> Iterator[MetadataServer]:
    """
    Let it answer on loopback, at its ``url``.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): text for name, text in self.headers.items()}
            answer = server.answer(self.command, self.path, headers)
            status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_port}"
        # It looks so often whether it is to end.
        thread = Thread(target=listening.serve_forever, args=[0.05])
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
