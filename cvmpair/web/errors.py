"""
What can be wrong with a request before the domain is asked.

As in :mod:`cvmpair.core.errors`, the text is for the client and holds nothing
of what it sent. The ``charset`` of a body is no secret, nor is a method.
"""

from collections.abc import Iterable


class RequestError(Exception):
    """
    The parent of them all.
    """


class BadRequest(RequestError):
    """
    The request is not HTTP as we understand it, or its body cannot be read.
    """


class CrossSite(RequestError):
    """
    A browser was told by the page of another site to change something here, or to name
    a PIN.
    """

    def __init__(self) -> None:
        super().__init__(
            "A page of another site may not change anything here, nor name a PIN. Open "
            "the page of this service itself, or send the request with another program."
        )


class ProtectionRequired(RequestError):
    """
    The request asks for a cluster without tokens, and the service makes none.
    """

    def __init__(self) -> None:
        super().__init__(
            "This service makes protected clusters only: its operator wants it so. "
            "Leave the field protected out."
        )


class NoSuchResource(RequestError):
    """
    No resource has this path.
    """

    def __init__(self) -> None:
        super().__init__(
            "There is no such resource. The API is under /api/v1/clusters, "
            "without a slash at the end; --admin-listen has /livez, /readyz and "
            "/metrics."
        )


class MethodNotAllowed(RequestError):
    """
    The resource exists, but does not do this.
    """

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        super().__init__(f'Method "{method}" not allowed.')
        self.allowed = tuple(allowed)


class NotAcceptable(RequestError):
    """
    The client accepts none of the media types that there are.
    """

    def __init__(self, offers: Iterable[str]) -> None:
        super().__init__(f"This resource is available as {' or '.join(offers)} only.")


class RequestTimeout(RequestError):
    """
    The request did not arrive in time.
    """

    def __init__(self, part: str, seconds: float) -> None:
        super().__init__(
            f"The {part} of the request did not arrive within {seconds:g} seconds."
        )


class ContentTooLarge(RequestError):
    """
    The body is larger than the service takes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body of a request may have at most {limit} bytes; "
            "the operator sets this limit with --max-body-size."
        )


class UnsupportedMediaType(RequestError):
    """
    The body has a type that is not read here.
    """

    def __init__(self) -> None:
        super().__init__(
            "The body must be application/json or application/x-www-form-urlencoded, "
            "not compressed, in UTF-8 or in a charset that its Content-Type names: "
            "US-ASCII, ISO-8859-1, windows-1252 or UTF-16."
        )


class HeadersTooLarge(RequestError):
    """
    The header section is larger than the service takes.
    """

    def __init__(self) -> None:
        super().__init__("The header section of the request is too large.")


class InternalError(RequestError):
    """
    A defect of the service.
    """

    def __init__(self) -> None:
        super().__init__("The service failed to answer; its log has the reason.")
