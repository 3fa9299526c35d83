"""
User data that its cloud hands out as base64.
"""

import binascii

from cvmpair_agent.userdata.source import DataUnreadable


def decode_base64(place: str, data: bytes) -> bytes:
    """
    Decode base64, which may be wrapped into lines.

    :param place: where it was, for the error.
    :raises DataUnreadable: if it is none.
    """
    try:
        return binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
    except ValueError:
        raise DataUnreadable(f"{place}: is not valid base64") from None
