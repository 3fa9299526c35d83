"""
The daemon's own options, as it would understand them.
"""

from collections.abc import Sequence

from twisted.internet.endpoints import serverFromString
from twisted.python import usage

from cvmpair.options import Options, Settings
from cvmpair.services.pem_directory import check_pem_directory


def settings_of(words: Sequence[str]) -> Settings:
    """
    Return what the daemon would make of its options.

    :raises ValueError: if it would refuse them; the text says why.
    """
    options = Options()
    try:
        # The daemon's own would end the process.
        usage.Options.parseOptions(options, list(words))
    except usage.UsageError as error:
        raise ValueError(str(error)) from None
    settings = options.settings
    for name, endpoints in (
        ("listen", settings.listen),
        ("admin-listen", settings.admin_listen),
    ):
        for endpoint in endpoints:
            _check_endpoint(name, endpoint)
    return settings


def _check_endpoint(name: str, words: str) -> None:
    # Only systemd knows what it will pass.
    if words.startswith("systemd:"):
        return
    try:
        check_pem_directory(words)
        # Without a reactor it cannot listen, but reads its certificates.
        serverFromString(None, words)
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ValueError(
            f"--{name} {words!r} is no usable endpoint: {' '.join(reason.split())}"
        ) from None
