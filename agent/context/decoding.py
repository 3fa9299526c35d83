"""
User data as text, whatever it is wrapped in: base64, gzip, MIME, or several of them.

Clouds, and tools of operators, wrap it in different ways and do not say how. What
cloud-init unwraps is unwrapped here too, so that one context serves both.
"""

import binascii
import re
from codecs import BOM_UTF8
from typing import Final

from attrs import define

from cvmpair_agent.errors import ContextWrong

MAX_SIZE: Final = 1024 * 1024
"""The most bytes of user data, as they come and after decompression, in all."""

MAX_LAYERS: Final = 8
"""The most wrappings of one text; real ones have two or three."""

MAX_MULTIPARTS: Final = 32
"""The most multiparts of one message; reading takes longer with each that is nested."""

MAX_CONTENT_TYPE: Final = 8192
"""The longest ``Content-Type`` of a part; reading takes its square."""

GZIP_MAGIC: Final = b"\x1f\x8b"
MARKER: Final = b"[ucernvm-begin]"
MIME_HEADER: Final = b"mime-version:"
MIME_HEADER_WITHIN: Final = 4096
"""Where cloud-init looks for it (``cloudinit/user_data.py``, ``convert_string``)."""

_content_types = re.compile(
    rb"^content-type:.*(?:\r?\n[ \t].*)*", re.IGNORECASE | re.MULTILINE
).finditer


def decode(data: bytes) -> str:
    """
    Return the text of user data, the parts of a MIME message one after another.

    Bytes that are not UTF-8 become lone surrogates (``surrogateescape``), so that
    encoding the same way gives them back.

    :raises ContextWrong: if it is compressed and damaged or cut off, or larger than
        ``MAX_SIZE``, or wrapped too often.
    """
    if len(data) > MAX_SIZE:
        raise ContextWrong(f"The user data is larger than {MAX_SIZE} bytes.")
    texts = _Unwrapping().unwrap(data, MAX_LAYERS)
    return "\n".join(text.decode("utf-8", "surrogateescape") for text in texts)


@define(eq=False)
class _Unwrapping:
    """
    The way from one user data to its texts.

    :ivar left: how many bytes decompression may still make.
    """

    left: int = MAX_SIZE

    def unwrap(self, data: bytes, layers: int) -> list[bytes]:
        data = data.removeprefix(BOM_UTF8)
        if data.startswith(GZIP_MAGIC):
            inner = [self.gunzip(data)]
        elif _is_mime(data):
            parts = _parts(data)
            if parts is None:
                return [data]
            inner = parts
        else:
            decoded = _from_base64(data)
            if decoded is None:
                return [data]
            inner = [decoded]
        if layers == 0:
            raise ContextWrong(
                f"The user data is wrapped more than {MAX_LAYERS} times."
            )
        return [text for part in inner for text in self.unwrap(part, layers - 1)]

    def gunzip(self, data: bytes) -> bytes:
        import gzip  # noqa: PLC0415  most user data needs neither
        from io import BytesIO  # noqa: PLC0415
        from zlib import error as zlib_error  # noqa: PLC0415

        try:
            inner = gzip.GzipFile(fileobj=BytesIO(data)).read(self.left + 1)
        except EOFError:
            raise ContextWrong(
                "The user data is compressed with gzip, but its end is missing."
            ) from None
        except (OSError, zlib_error):
            raise ContextWrong(
                "The user data is compressed with gzip, but damaged."
            ) from None
        self.left -= len(inner)
        if self.left < 0:
            raise ContextWrong(
                f"The user data is larger than {MAX_SIZE} bytes when decompressed."
            )
        return inner


def _is_mime(data: bytes) -> bool:
    return MIME_HEADER in data[:MIME_HEADER_WITHIN].lower()


def _from_base64(data: bytes) -> bytes | None:
    """
    Return what base64 stands for, if it is user data.

    Without that condition plain text such as ``abcd`` would be "decoded".
    """
    try:
        decoded = binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
    except binascii.Error:
        return None
    inner = decoded.removeprefix(BOM_UTF8)
    if inner.startswith(GZIP_MAGIC) or _is_mime(inner) or MARKER in inner:
        return decoded
    return None


def _parts(data: bytes) -> list[bytes] | None:
    """
    Return the texts of a MIME message, transfer encodings undone, or None if it is
    a text that only speaks of MIME.

    What stands before the first and after the last boundary counts: the parser of
    CernVM's bootloader matches lines wherever they are.
    """
    from email import message_from_bytes  # noqa: PLC0415  it costs 10 ms

    if data.lower().count(b"multipart/") > MAX_MULTIPARTS:
        raise ContextWrong(
            f"The user data has more than {MAX_MULTIPARTS} MIME multiparts."
        )
    if any(len(header[0]) > MAX_CONTENT_TYPE for header in _content_types(data)):
        raise ContextWrong(
            f"The user data has a Content-Type of more than {MAX_CONTENT_TYPE} bytes."
        )
    texts: list[bytes] = []
    try:
        message = message_from_bytes(data)
        if message["mime-version"] is None:
            return None
        epilogues: list[bytes] = []
        for part in message.walk():
            if part.is_multipart():
                texts.append(_around(part.preamble))
                epilogues.append(_around(part.epilogue))
            else:
                payload = part.get_payload(decode=True)
                texts.append(payload if isinstance(payload, bytes) else b"")
    except Exception:
        # For messages that are none, or nested beyond measure, it raises whatever
        # comes first.
        raise ContextWrong(
            "The user data looks like a MIME message, but cannot be read as one."
        ) from None
    return [text for text in (*texts, *epilogues) if text]


def _around(text: str | None) -> bytes:
    return (text or "").encode("ascii", "surrogateescape")
