"""
MIME messages of several parts, as cloud-init and the agents take them.

They are put together by hand, so that the same parts are always the same bytes, and
that the parser of CernVM's bootloader, which looks at lines and decodes nothing,
finds the block.
"""

from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message
from io import BytesIO
from typing import Final

from attrs import field, frozen

from cvmpair_agent.context.decoding import MIME_HEADER, MIME_HEADER_WITHIN
from cvmpair_agent.errors import ContextWrong

BOUNDARY: Final = "==cvmpair-context=="
UCERNVM: Final = "text/ucernvm"
DEFAULT_TYPE: Final = "text/plain"

_TYPES: Final = (
    # As in cloud-init (cloudinit/handlers/__init__.py), the longer ones first.
    (b"#cloud-config-archive", "text/cloud-config-archive"),
    (b"#cloud-config-jsonp", "text/cloud-config-jsonp"),
    (b"#cloud-config", "text/cloud-config"),
    (b"#cloud-boothook", "text/cloud-boothook"),
    (b"#include-once", "text/x-include-once-url"),
    (b"#include", "text/x-include-url"),
    (b"#part-handler", "text/part-handler"),
    (b"#!", "text/x-shellscript"),
    (b"## template: jinja", "text/jinja2"),
)


def cloud_init_type(data: bytes) -> str | None:
    """
    Return the type that the first line makes a text for cloud-init, if any.
    """
    start = data.lstrip()
    return next((name for prefix, name in _TYPES if start.startswith(prefix)), None)


def type_of(data: bytes) -> str:
    """
    Return the type of a part by its first line.
    """
    if data.lstrip().startswith(b"["):
        return "text/amiconfig-user-data"
    return cloud_init_type(data) or DEFAULT_TYPE


@frozen(kw_only=True)
class Part:
    """
    One text of a message.

    :ivar type: the media type.
    """

    type: str
    data: bytes = field(repr=False)

    def render(self, boundary: str) -> bytes:
        """
        Return the part with its headers, without the line break that ends it.

        A text that another program could not read back as it is goes as base64.

        :raises ContextWrong: if that would be the block.
        """
        charset, encoding = "us-ascii", "7bit"
        if not self.data.isascii():
            charset, encoding = "utf-8", "8bit"
        data = self.data
        if not _travels(data, boundary):
            if self.type == UCERNVM:
                raise ContextWrong(
                    "The block of the base has characters that cannot stand in a MIME "
                    "message as they are."
                )
            encoding, data = "base64", _wrapped(data)
        return (
            f'Content-Type: {self.type}; charset="{charset}"\n'
            "MIME-Version: 1.0\n"
            f"Content-Transfer-Encoding: {encoding}\n\n"
        ).encode() + data


def compose(parts: Sequence[Part]) -> bytes:
    """
    Return a message of several parts.
    """
    head = (
        f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"\nMIME-Version: 1.0\n\n'
    )
    empty = Multipart(
        boundary=BOUNDARY,
        head=head.encode(),
        parts=(),
        tail=_delimiter(BOUNDARY) + b"--\n",
    )
    return empty.with_parts(parts, ())


def read_message(data: bytes) -> "Message[str, str] | None":
    """
    Return the data as a message, if they are one by the rules of cloud-init.
    """
    if MIME_HEADER not in data[:MIME_HEADER_WITHIN].lower():
        return None
    message = message_from_bytes(data)
    return message if message["mime-version"] is not None else None


@frozen(kw_only=True)
class Multipart:
    """
    A message of several parts, cut before its boundaries; nothing of it is changed.

    :ivar head: the headers, and what stands before the first boundary.
    :ivar parts: each with the boundary before it.
    :ivar tail: the last boundary and what follows it.
    """

    boundary: str
    head: bytes = field(repr=False)
    parts: tuple[bytes, ...] = field(repr=False)
    tail: bytes = field(repr=False)

    @classmethod
    def cut(cls, data: bytes, boundary: str) -> "Multipart":
        """
        Cut the data of a message.
        """
        delimiter = _delimiter(boundary)
        pieces: list[list[bytes]] = [[]]
        tail = b""
        lines = BytesIO(data)
        for line in lines:
            word = line.rstrip()
            if word == delimiter + b"--" and len(pieces) > 1:
                tail = line + lines.read()
            elif word == delimiter:
                pieces.append([line])
            else:
                pieces[-1].append(line)
        head, *parts = map(b"".join, pieces)
        return cls(boundary=boundary, head=head, parts=tuple(parts), tail=tail)

    def with_parts(self, new: Sequence[Part], kept: Sequence[bytes]) -> bytes:
        """
        Return the message with new parts, and after them some of its own.
        """
        rendered = [_delimited(part, self.boundary) for part in new]
        return b"".join([self.head, *rendered, *kept, self.tail])


def content(part: bytes) -> bytes:
    """
    Return a part of :attr:`Multipart.parts` as a message: without the boundary before
    it, and the line break that belongs to the one after it.
    """
    _, _, message = part.partition(b"\n")
    return message.removesuffix(b"\n").removesuffix(b"\r")


def _delimiter(boundary: str) -> bytes:
    return f"--{boundary}".encode("ascii", "surrogateescape")


def _delimited(part: Part, boundary: str) -> bytes:
    return _delimiter(boundary) + b"\n" + part.render(boundary) + b"\n"


def _travels(data: bytes, boundary: str) -> bool:
    """
    Say whether a text comes out of a message as it went in.
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return (
        b"\0" not in data
        # It would be taken for a part of the line break before the boundary.
        and not data.endswith(b"\r")
        and _delimiter(boundary) not in data
    )


def _wrapped(data: bytes) -> bytes:
    from base64 import encodebytes  # noqa: PLC0415  rarely needed

    return encodebytes(data).removesuffix(b"\n")
