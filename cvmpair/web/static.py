"""
What is always the same: the files that belong to the pages, as they lie in the package,
and whatever else is served like them.
"""

from hashlib import sha256
from importlib.resources import files
from typing import Final

from attrs import field, frozen
from klein import Response
from twisted.web.iweb import IRequest
from werkzeug.http import parse_etags

from cvmpair.web.errors import NoSuchResource
from cvmpair.web.security import security_headers


def read_asset(name: str) -> bytes:
    """
    Return the content of a file of the package.
    """
    return files("cvmpair.web").joinpath("assets", name).read_bytes()


@frozen
class Asset:
    """
    A file that is served.

    :ivar tag: what its ``ETag`` says of the content.
    """

    media_type: str
    content: bytes
    tag: str = field(init=False)

    @tag.default
    def _of_content(self) -> str:
        return sha256(self.content).hexdigest()[:16]


ASSETS: Final = {
    name: Asset(media_type, read_asset(name))
    for name, media_type in {
        "page.css": "text/css; charset=utf-8",
        "page.js": "text/javascript; charset=utf-8",
        "icon.svg": "image/svg+xml",
    }.items()
}
"""
All that are served, by name; the templates are not.
"""


def find_asset(name: str) -> Asset:
    """
    Return a file that belongs to the pages.

    :raises NoSuchResource: if there is no such file.
    """
    asset = ASSETS.get(name)
    if asset is None:
        raise NoSuchResource
    return asset


def asset_response(request: IRequest, asset: Asset) -> Response:
    """
    Return a file, or 304 if the client has it already.
    """
    headers: dict[str | bytes, str | bytes] = {
        **security_headers(secure=request.isSecure()),
        b"ETag": f'"{asset.tag}"'.encode(),
        # The name stays the same with the next version, so a browser has to ask.
        b"Cache-Control": b"no-cache",
    }
    lines = request.requestHeaders.getRawHeaders(b"If-None-Match", ())
    tags = b", ".join(lines).decode("latin-1")
    if parse_etags(tags).contains_weak(asset.tag):
        return Response(304, headers)
    headers[b"Content-Type"] = asset.media_type.encode()
    headers[b"Content-Length"] = b"%d" % len(asset.content)
    return Response(200, headers, asset.content)
