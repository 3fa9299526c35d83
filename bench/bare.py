"""
What the daemon is compared with: a constant from a plain ``twisted.web`` resource.

``python -m bench.bare PORT TEXT``
"""

import sys

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Constant(Resource):
    """
    The same text for every path.
    """

    isLeaf = True

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self._text = text

    def render_GET(self, _request: Request) -> bytes:
        return self._text


class QuietSite(Site):
    """
    The default site without its access log, which would only make it slower.
    """

    def log(self, request: Request) -> None:
        """
        Do nothing.
        """


if __name__ == "__main__":
    site = QuietSite(Constant(sys.argv[2].encode()))
    reactor.listenTCP(int(sys.argv[1]), site, interface="127.0.0.1")
    reactor.run()
