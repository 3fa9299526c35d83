"""
How others read a context: CernVM's parser, which looks at bytes, and cloud-init, which
takes the parts of a message by their types.
"""

import re
from email import message_from_bytes

PIN = "enico1qq0oey"
OTHER_PIN = "0ldp1n0ldp1n"


def original(data: bytes) -> dict[bytes, bytes]:
    """
    Return what ``parse_user_data.cc`` prints, without ``_UCONTEXT_``, the last of each.

    Only whole lines that equal the markers count, an end anywhere ends it for good, and
    a last line without a newline is lost.
    """
    found: dict[bytes, bytes] = {}
    inside = False
    for line in data.split(b"\n")[:-1]:
        if line == b"[ucernvm-end]":
            break
        if line == b"[ucernvm-begin]":
            inside = True
        elif inside and b"=" in line:
            key, value = line.split(b"=", 1)
            if re.fullmatch(rb"(?i)yes|on|true", value):
                value = b"1"
            elif re.fullmatch(rb"(?i)no|off|false", value):
                value = b"0"
            found[key.upper()] = value
    return found


def parts(data: bytes) -> list[tuple[str, bytes]]:
    """
    Return the types and contents of the parts of a message, as cloud-init finds them.
    """
    assert b"mime-version:" in data[:4096].lower()
    found = []
    for part in message_from_bytes(data).walk():
        if not part.is_multipart():
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            found.append((part.get_content_type(), payload))
    return found
