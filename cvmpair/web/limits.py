"""
What a request may take.
"""

from attrs import field, frozen
from attrs.validators import gt


@frozen(kw_only=True)
class RequestLimits:
    """
    The limits that hold while a request arrives.

    :ivar body_size: in bytes.
    :ivar header_timeout: from the first byte of a request to the end of its
        headers, in seconds.
    :ivar body_timeout: from there to the end of its body, in seconds.
    """

    body_size: int = field(default=64 * 1024, validator=gt(0))
    header_timeout: float = field(default=10.0, validator=gt(0))
    body_timeout: float = field(default=10.0, validator=gt(0))
