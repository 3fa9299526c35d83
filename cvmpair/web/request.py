"""
One request, from the last byte of its body to the last byte of its answer.
"""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from klein import Response
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Request, version

from cvmpair.core.clients import Client
from cvmpair.core.errors import ClusterNotFound, Overloaded
from cvmpair.web.backpressure import BUFFER_SIZE
from cvmpair.web.errors import BadRequest, InternalError, NoSuchResource
from cvmpair.web.guard import Guard
from cvmpair.web.message import message
from cvmpair.web.negotiation import accept_header
from cvmpair.web.problems import log_defect, problem
from cvmpair.web.unsent import LIMIT, UnsentAnswers

# Case matters in a method (RFC 9110, section 9.1); Werkzeug would not care.
_METHOD: Final = re.compile(rb"[A-Z]{1,20}")
_ORIGIN: Final = re.compile(rb"^https?://[^/]*", re.IGNORECASE)
# Empty segments are refused with the rest: Werkzeug would redirect to a path without.
_PATH: Final = re.compile(rb"/|(?:/[A-Za-z0-9_.~-]+)+/?")


class PairingRequest(Request):
    """
    Answers by itself what no handler has to see, and remembers what the log says
    of it.

    :ivar route: the pattern of the resource, never the path.
    :ivar pin: the PIN of the cluster that it is about, if it is a legal one.
    :ivar waits: whether it waits for news.
    :ivar gone: whether the client has gone before it was answered.
    """

    # Nothing is text/html by accident.
    defaultContentType = None

    route = "-"
    pin: str | None = None
    waits = False
    gone = False
    received: float = 0.0
    # A cycle of types: the channel makes requests.
    channel: Any
    _body: BytesIO
    _on_end: Callable[["PairingRequest"], None] | None = None

    def begin(self, now: float, on_end: Callable[["PairingRequest"], None]) -> None:
        """
        Take notice that the request has come whole.

        :param now: the time, in seconds of the reactor.
        :param on_end: is called once, when it is answered or was given up.
        """
        self.received = now
        self._on_end = on_end

    def has_body(self) -> bool:
        """
        Say whether the request has a body that is not empty.
        """
        return bool(self._body.getbuffer())

    def gotLength(self, length: int | None) -> None:  # noqa: ARG002
        # Twisted would use a file on the disk, from the reactor's thread, for a body
        # of unknown length. The channel limits it, so it stays in memory.
        self.content = self._body = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        if self.channel.body_grows(len(data)):
            super().handleContentChunk(data)

    def getRequestHostname(self) -> bytes:
        # Routing does not depend on it, but Klein would have Werkzeug encode whatever
        # the client sent, and log it where that fails.
        return b"localhost"

    def process(self) -> None:
        path = self.path
        if not path.startswith(b"/"):
            # A target may be a whole URL (RFC 9112, section 3.2.2); which host it
            # names makes no difference here.
            path = _ORIGIN.sub(b"", path, count=1) or b"/"
        # A slash in disguise separates nothing.
        disguised = b"%2F" in path.upper()
        self.path = unquote_to_bytes(path)
        if not _METHOD.fullmatch(self.method):
            self.refuse(BadRequest("The method of a request is a word in capitals."))
        elif disguised or not _PATH.fullmatch(self.path):
            self.refuse(NoSuchResource())
        else:
            # Twisted would look for the resource segment by segment.
            self.site = self.channel.site
            try:
                self.site.resource.render(self)
            except Exception:
                self.processingFailed(Failure())

    def hand_to_klein(self, resource: IResource) -> None:
        """
        Have Klein's own resource answer, with the headers that Twisted would set.
        """
        self.setHeader(b"Server", version)
        self.setHeader(b"Date", datetimeToString())
        self.prepath = []
        self.postpath = self.path[1:].split(b"/")
        resource.render(self)

    @property
    def guard(self) -> Guard:
        """
        What limits clients.
        """
        guard: Guard = self.channel.factory.guard
        return guard

    @property
    def asker(self) -> Client | None:
        """
        Who asks, as far as limits go.
        """
        return self.guard.client(self.channel.peer, self.requestHeaders)

    def refusal(self, error: Exception) -> Response:
        """
        Return the answer for an error; a PIN that never was counts as a guess.
        """
        if isinstance(error, ClusterNotFound) and self.pin is not None:
            self.guard.count_guess(self.asker, self.pin)
        if isinstance(error, Overloaded):
            # What else it has sent already would be refused as well.
            self.channel.persistent = False
        return problem(error, accept_header(self))

    def refuse(self, error: Exception) -> None:
        """
        Answer with a problem, without a handler.
        """
        self.respond(self.refusal(error))

    def respond(self, response: Response) -> None:
        """
        Write the whole answer at once, unless nobody waits for it any more.
        """
        if self.gone:
            return
        # Whatever changes something has a small answer, and is done by now.
        if self.method == b"GET" and not self._has_room(len(response.body or b"")):
            response = self.refusal(Overloaded(LIMIT))
        self.code = response.code
        without_body = self.method == b"HEAD"
        data = message(
            response,
            datetimeToString(),
            closing=not self.channel.persistent,
            protocol=self.clientproto,
            without_body=without_body,
        )
        self.startedWriting = 1
        self.sentLength = 0 if without_body else len(response.body or b"")
        self.channel.write(data)
        self.finish()

    def check_room(self, size: int) -> None:
        """
        See to it that there is room for an answer, before it is made.

        :param size: about how large it will be, in bytes.

        :raises Overloaded: if there is none, until others have read theirs.
        """
        if not self._has_room(size):
            raise Overloaded(LIMIT)

    def _has_room(self, size: int) -> bool:
        if size <= BUFFER_SIZE:
            return True
        unsent: UnsentAnswers = self.channel.factory.unsent
        return unsent.has_room(size)

    def processingFailed(self, reason: Failure) -> Failure:
        # What goes wrong outside a handler; Twisted would log the text of the error,
        # which may hold a PIN, and answer with HTML.
        log_defect(reason, self.route)
        if not self.startedWriting:
            self.refuse(InternalError())
        return reason

    def finish(self) -> None:
        super().finish()
        self._end()

    def connectionLost(self, reason: Failure) -> None:
        self.gone = True
        super().connectionLost(reason)
        self._end()

    def _end(self) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self)
