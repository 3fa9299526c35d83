"""
A base as a text or a MIME message: what is compressed or in base64 is opened first.
"""

import binascii
import gzip
import zlib
from codecs import BOM_UTF8
from io import BytesIO

from cvmpair.contexts.mime import cloud_init_type, read_message
from cvmpair_agent.context.decoding import GZIP_MAGIC, MARKER, MAX_LAYERS, MAX_SIZE
from cvmpair_agent.errors import ContextWrong


def unwrap(data: bytes) -> bytes:
    """
    Return what gzip and base64 stand for, or the data as they are.

    :raises ContextWrong: if they are damaged, too large or wrapped too often.
    """
    for _ in range(MAX_LAYERS):
        data = data.removeprefix(BOM_UTF8)
        if len(data) > MAX_SIZE:
            raise ContextWrong(f"The base is larger than {MAX_SIZE} bytes.")
        if data.startswith(GZIP_MAGIC):
            data = _gunzip(data)
        elif (decoded := _from_base64(data)) is not None:
            data = decoded
        else:
            return data
    raise ContextWrong(f"The base is wrapped more than {MAX_LAYERS} times.")


def _gunzip(data: bytes) -> bytes:
    try:
        return gzip.GzipFile(fileobj=BytesIO(data)).read(MAX_SIZE + 1)
    except (OSError, EOFError, zlib.error):
        raise ContextWrong(
            "The base is compressed with gzip, but damaged or cut off."
        ) from None


def _from_base64(data: bytes) -> bytes | None:
    """
    Return what base64 stands for, if that is a context; plain text may look like it.
    """
    try:
        decoded = binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
    except binascii.Error:
        return None
    inner = decoded.removeprefix(BOM_UTF8)
    if (
        inner.startswith((GZIP_MAGIC, b"["))
        or MARKER in inner
        or cloud_init_type(inner) is not None
        or read_message(inner) is not None
    ):
        return decoded
    return None
