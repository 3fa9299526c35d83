"""
The daemon's own options, as it would understand them.
"""

from collections.abc import Iterator, Sequence

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
    return options.settings


def unusable(settings: Settings) -> Iterator[tuple[str, str]]:
    """
    Yield each endpoint at which the daemon could not listen, after its option, and the
    reason.
    """
    for option, listen in (
        ("--listen", settings.listen),
        ("--admin-listen", settings.admin_listen),
    ):
        for words in listen:
            # Only systemd knows what it will pass.
            if words.startswith("systemd:"):
                continue
            try:
                # Without a reactor it cannot listen.
                endpoint_of(None, words)
            except ValueError as error:
                yield f"{option} {words}", str(error).removeprefix(f"{words!r} is ")
