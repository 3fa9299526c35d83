"""
Which machine this is: one made from the image of another is another.
"""

from contextlib import suppress
from hashlib import sha256
from typing import Final

from cvmpair_agent.files.replacing import read_file
from cvmpair_agent.files.root import Root

IDENTITIES: Final = (
    # The virtual machine, by its hypervisor.
    "/sys/class/dmi/id/product_uuid",
    # The instance, by its cloud; cloud-init writes it at every boot.
    "/var/lib/cloud/data/instance-id",
    # The installation (machine-id(5)).
    "/etc/machine-id",
)
"""Each may be missing, or be the same in a copy; it is unlikely that all are."""

_NOT_YET: Final = {b"", b"uninitialized"}
"""What an image has in ``/etc/machine-id`` until its first boot."""


def identify(root: Root) -> str:
    """
    Return a digest of all that names this machine.

    It stays the same from boot to boot. What is missing or cannot be read does not
    count; the names themselves cannot be had from it (machine-id(5) asks for that).
    """
    digest = sha256()
    for path in IDENTITIES:
        with suppress(OSError):
            identity = read_file(root.locate(path)).strip().lower()
            if identity not in _NOT_YET:
                digest.update(b"%b=%b\n" % (path.encode(), identity))
    return digest.hexdigest()
