"""
The pages, from templates that escape all that is put into them.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from inspect import getdoc
from typing import Final

from attrs import field, frozen
from klein import Response
from twisted.web.iweb import IRequest
from twisted.web.template import (
    Element,
    Tag,
    XMLString,
    flattenString,
    renderer,
    tags,
)

from cvmpair.core.model import Scope
from cvmpair.core.timeline import rfc3339
from cvmpair.core.tokens import SCOPES
from cvmpair.web.problems import PROBLEM_TYPES
from cvmpair.web.security import security_headers
from cvmpair.web.static import read_asset

HTML: Final = "text/html"

GROUP: Final = 4
"""How many characters of a PIN stand together."""

_RESULT: Final = (
    *("pin", "groups", "url", "exact", "readable"),
    *(*SCOPES, "master_token", "worker_token"),
)
"""What is to be filled in where a PIN is shown."""


@frozen(kw_only=True)
class NewPin:
    """
    What the page shows of a cluster that was just created.

    :ivar url: where its machines find the service.
    :ivar deadline: when it expires, in seconds since the epoch.
    :ivar tokens: their texts, if it is protected.
    """

    pin: str
    url: str
    deadline: float
    tokens: Mapping[Scope, str] | None = field(default=None, repr=False)


class Layout(Element):
    """
    What all pages have in common.
    """

    loader = XMLString(read_asset("layout.xml"))

    def __init__(self, title: str, content: Element) -> None:
        super().__init__()
        self._title = title
        self._content = content

    @renderer
    def page(self, _request: IRequest | None, tag: Tag) -> Tag:
        return tag.fillSlots(title=self._title, content=self._content)


class CreatePin(Element):
    """
    The form that creates a PIN, and what came of it.

    The part that shows a PIN is there from the beginning, hidden, so that the
    script has something to fill in.
    """

    loader = XMLString(read_asset("create.xml"))

    def __init__(
        self,
        new: NewPin | None = None,
        error: str = "",
        *,
        require_protected: bool = False,
    ) -> None:
        super().__init__()
        self._new = new
        self._tokens = new.tokens if new else None
        self._error = error
        self._require_protected = require_protected

    @renderer
    def form(self, _request: IRequest | None, tag: Tag) -> Tag:
        return tag.fillSlots(
            label="Create another PIN" if self._new else "Create a PIN",
            news="Your PIN is ready." if self._new else "",
            error=self._error,
            hint=(
                "The operator of this service wants it so for every PIN."
                if self._require_protected
                else "Each machine then needs a token too. Old images send none."
            ),
        )

    @renderer
    def checkbox(self, _request: IRequest | None, tag: Tag) -> Tag:
        if self._require_protected:
            # Not sent, and what is not sent is as the operator wants it.
            return tag(checked="checked", disabled="disabled")
        return tag(checked="checked") if self._tokens else tag

    @renderer
    def result(self, _request: IRequest | None, tag: Tag) -> Tag:
        if self._new is None:
            tag(hidden="hidden")
            nothing = dict.fromkeys(_RESULT, "")
            return tag.fillSlots(**nothing)
        pin, time = self._new.pin, datetime.fromtimestamp(self._new.deadline, UTC)
        return tag.fillSlots(
            pin=pin,
            # Elements, not spaces: what is copied is the PIN as it is.
            groups=[
                tags.span(pin[start : start + GROUP])
                for start in range(0, len(pin), GROUP)
            ],
            url=self._new.url,
            exact=rfc3339(self._new.deadline, "seconds"),
            readable=f"{time.day} {time:%B %Y, %H:%M} UTC",
            **{scope: (self._tokens or {}).get(scope, "") for scope in SCOPES},
            master_token=self._line("write"),
            worker_token=self._line("read"),
        )

    @renderer
    def open(self, _request: IRequest | None, tag: Tag) -> Tag:
        return tag(hidden="hidden") if self._tokens else tag

    @renderer
    def tokens(self, _request: IRequest | None, tag: Tag) -> Tag:
        return tag if self._tokens else tag(hidden="hidden")

    def _line(self, scope: Scope) -> str:
        return f"cvm_cluster_token={self._tokens[scope]}\n" if self._tokens else ""


class Problems(Element):
    """
    What each ``type`` of a problem means, and what to do.
    """

    loader = XMLString(read_asset("problems.xml"))

    @renderer
    def problem(self, _request: IRequest | None, tag: Tag) -> Iterator[Tag]:
        for error, kind in PROBLEM_TYPES.items():
            yield tag.clone().fillSlots(
                name=kind.name,
                status=str(kind.status),
                title=kind.title,
                meaning=_marked_up(getdoc(error) or ""),
                remedy=_marked_up(kind.remedy),
            )


def _marked_up(text: str) -> list[Tag | str]:
    # The only mark-up that the docstrings of the errors use.
    parts = text.split("``")
    return [tags.code(part) if odd % 2 else part for odd, part in enumerate(parts)]


async def html(
    title: str,
    content: Element,
    *,
    secure: bool,
    status: int = 200,
    headers: dict[str | bytes, str | bytes] | None = None,
) -> Response:
    """
    Return a page as an answer.

    :param secure: whether it goes over TLS.
    :param headers: more of them.
    """
    page = await flattenString(None, Layout(title, content))
    body = b"<!DOCTYPE html>\n" + page + b"\n"
    return Response(
        status,
        {
            **security_headers(secure=secure),
            b"Content-Type": f"{HTML}; charset=utf-8".encode(),
            b"Content-Length": b"%d" % len(body),
            b"Vary": b"Accept",
            # It shows a PIN, or will: that is nothing for a cache to keep.
            b"Cache-Control": b"no-store",
            **(headers or {}),
        },
        body,
    )
