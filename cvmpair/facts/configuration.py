"""
The daemon's own options, as it would understand them.
"""

from collections.abc import Sequence

from twisted.python import usage

from cvmpair.options import Options
from cvmpair.services.endpoints import endpoint_of
from cvmpair.settings import Settings


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
    for option, listen in (
        ("--listen", settings.listen),
        ("--admin-listen", settings.admin_listen),
    ):
        for endpoint in listen:
            _check_endpoint(option, endpoint)
    return settings


def _check_endpoint(option: str, words: str) -> None:
    # Only systemd knows what it will pass.
    if words.startswith("systemd:"):
        return
    try:
        # Without a reactor it cannot listen.
        endpoint_of(None, words)
    except ValueError as error:
        raise ValueError(f"{option} {error}") from None
