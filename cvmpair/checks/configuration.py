"""
The endpoints of the daemon, as far as they can be told from their words and files.
"""

from collections.abc import Iterable, Iterator

from cvmpair.checks.verdict import Verdict, fail


def check_endpoints(unusable: Iterable[tuple[str, str]]) -> Iterator[Verdict]:
    """
    Yield a verdict about each endpoint that is of no use.

    :param unusable: the option and its words, and the reason.
    """
    for about, text in unusable:
        reason, _, step = text.partition("; ")
        kind = about.split()[1].partition(":")[0]
        if kind in {"ssl", "tls"}:
            step = step or "put that right, or name another in the endpoint"
        yield fail(about, reason, step or "twistd cvmpair --help has examples")
