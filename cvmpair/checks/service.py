"""
The service as its clients reach it.
"""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from cvmpair.checks.verdict import Verdict, fail, ok, warn

ABOUT: Final = "service"

DAYS: Final = 14
"""A certificate should be valid for so many days more."""


@frozen(kw_only=True)
class CertificateFacts:
    """
    What was found out about the certificate of a service.

    :ivar problem: why it is not trusted; empty if it is.
    :ivar step: what to do about that.
    :ivar names: the names and addresses that it is for.
    :ivar days: how many days it is valid for.
    :ivar fingerprint: that of :mod:`cvmpair.core.fingerprint`.
    """

    problem: str = ""
    step: str = ""
    names: tuple[str, ...] = ()
    days: float
    fingerprint: str


@frozen(kw_only=True)
class ServiceFacts:
    """
    What was found out about a service.

    :ivar problem: why there was no answer; empty if there was one.
    :ivar status: of the answer to ``OPTIONS /api/v1/clusters``.
    :ivar allows: whether that answer says that clusters can be created there.
    :ivar certificate: if the URL asks for TLS and it was seen.
    :ivar tried: whether a PIN was to be created and deleted.
    :ivar try_problem: why that failed; empty if it did not.
    :ivar try_step: what to do about it, as far as the answer tells.
    """

    url: str
    problem: str = ""
    status: int = 0
    allows: bool = False
    certificate: CertificateFacts | None = None
    tried: bool = False
    try_problem: str = ""
    try_step: str = ""


def check_service(
    facts: ServiceFacts | None, *, protected: bool = False
) -> Iterator[Verdict]:
    """
    Yield the verdicts about a service.

    :param protected: whether machines send tokens to it.
    """
    if facts is None:
        yield warn(ABOUT, "not asked", "say which one with --service-url")
        return
    if facts.problem:
        yield fail(
            ABOUT,
            f"{facts.url} gives no answer: {facts.problem}",
            "check the scheme, host and port of the URL, that the daemon runs, and the "
            "firewalls between",
        )
    elif not facts.allows:
        yield fail(
            ABOUT,
            f"{facts.url} is no pairing service (status {facts.status})",
            "check the URL, and what the proxy in front of it passes on",
        )
    else:
        yield ok(ABOUT, f"{facts.url} answers")
    if protected and facts.url.startswith("http:"):
        yield warn(
            "tokens",
            f"they go to {facts.url}, and anybody on the way can read them",
            "have the daemon or a proxy in front of it speak TLS, and use https://",
        )
    if facts.certificate is not None:
        yield from _certificate(facts.certificate)
    if facts.try_problem:
        step = facts.try_step or "read what the daemon's log says about it"
        yield fail("trial", facts.try_problem, step)
    elif facts.tried:
        yield ok("trial", "a PIN was created and deleted")


def _certificate(facts: CertificateFacts) -> Iterator[Verdict]:
    if facts.problem:
        yield fail(
            "certificate",
            f"not trusted: {facts.problem}",
            facts.step,
        )
    else:
        names = ", ".join(facts.names) or "no name"
        yield ok("certificate", f"trusted, for {names}")
    text, step = (
        f"{facts.days:.0f} days left",
        "renew it, and send SIGHUP to the daemon",
    )
    if facts.days < 0:
        yield fail("certificate's end", f"expired {-facts.days:.0f} days ago", step)
    elif facts.days < DAYS:
        yield warn("certificate's end", text, step)
    else:
        yield ok("certificate's end", text)
    yield ok("certificate's key", facts.fingerprint)
