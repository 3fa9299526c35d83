"""
The wall clock of this machine.
"""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from cvmpair.checks.verdict import Verdict, ok, warn
from cvmpair.core.timeline import STEP, ClockMark

APART: Final = 5.0
"""The seconds that the service's clock may differ; its answers say whole ones."""


@frozen(kw_only=True)
class ClockFacts:
    """
    What was found out about the clock.

    :ivar synchronised: what the kernel says; ``None`` if it does not.
    :ivar now: what the clock shows, in seconds since the epoch.
    :ivar service: what the service's clock showed then, if it was asked.
    :ivar mark: the clocks at the last write of the state, if there is one.
    """

    synchronised: bool | None
    now: float
    service: float | None = None
    mark: ClockMark | None = None


def check_clock(facts: ClockFacts) -> Iterator[Verdict]:
    """
    Yield the verdicts about the clock.
    """
    step = "have it synchronised, by chrony or systemd-timesyncd"
    if facts.synchronised:
        yield ok("clock", "synchronised")
    elif facts.synchronised is None:
        yield warn("clock", "the kernel does not say if it is synchronised", step)
    else:
        yield warn("clock", "not synchronised", step)
    if facts.service is not None:
        apart = facts.now - facts.service
        text = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the service"
        if abs(apart) > APART:
            yield warn("clock and service", text, f"of the two that is wrong: {step}")
        else:
            yield ok("clock and service", f"at most {APART:.0f} s apart")
    if facts.mark is not None:
        yield from _steps(facts.mark, facts.now)


def _steps(mark: ClockMark, now: float) -> Iterator[Verdict]:
    about, back = "clock steps", mark.wall - now
    if back > STEP:
        yield warn(
            about,
            f"the clock shows {back:.0f} s less than when the state was saved: PINs "
            "live that much longer if the daemon starts now",
            "set the clock before you start the daemon",
        )
        return
    skew = mark.wall - mark.book
    if abs(skew) < STEP:
        yield ok(about, "none since the state began")
    else:
        yield ok(about, f"{skew:+.0f} s since the state began; no deadline has moved")
