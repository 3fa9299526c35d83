"""
How requests go out: directly, without a proxy, encrypted only if the URL says so.
"""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer


def http_client(
    reactor: Any,
    url: str,
    ca_file: str | None = None,
    *,
    pinned: str | None = None,
    seen: Callable[[str], object] | None = None,
) -> HTTPClient:
    """
    Return a client for the service at that URL.

    :param ca_file: a PEM file with the authorities to trust instead of the
        platform's.
    :param pinned: the fingerprint of the server's key, to trust instead of them all.
    :param seen: is told the fingerprint of each server that is trusted.

    :raises ValueError: if the file cannot be used, or a fingerprint is of no use to
        the URL; the text says why.
    """
    if not url.lower().startswith("https:"):
        if pinned is not None or seen is not None:
            raise ValueError(
                "A server has a fingerprint only with https://, and the service's URL "
                "begins with http://."
            )
        return HTTPClient(_AsItIs(Agent(reactor)))
    # It takes time and memory to get ready for TLS.
    from cvmpair.client.tls import https_policy  # noqa: PLC0415

    return HTTPClient(_AsItIs(Agent(reactor, https_policy(ca_file, pinned, seen))))


@implementer(IAgent)
@frozen
class _AsItIs:
    """
    Keeps treq from asking for compressed bodies and from expanding them: a short one
    can become very long, and a broken one is logged as a defect.
    """

    agent: IAgent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        if headers is not None:
            headers = headers.copy()
            headers.removeHeader(b"Accept-Encoding")
        answered = self.agent.request(method, uri, headers, bodyProducer)
        return answered.addCallback(_not_expanded)


def _not_expanded(response: IResponse) -> IResponse:
    response.headers.removeHeader(b"Content-Encoding")
    return response
