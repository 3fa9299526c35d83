"""
What was measured, as values with a target, and as a table in Markdown.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from attrs import field, frozen

_HEAD = ("measured", "median", "spread", "in numbers", "target", "reached")


@frozen
class Figure:
    """
    One line of the table.

    :ivar values: one for each repetition.
    :ivar form: how to write one of them.
    :ivar numbers: what is behind it.
    :ivar at_least: the target, if it is a bound from below; likewise ``at_most``.
    :ivar raw: what the values were computed from, by name.
    """

    measured: str
    values: Sequence[float]
    form: str
    numbers: str = ""
    at_least: float | None = None
    at_most: float | None = None
    raw: Mapping[str, Sequence[float]] = field(factory=dict)

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def reached(self) -> bool | None:
        """
        Whether the target is reached, if there is one.
        """
        if self.at_least is not None:
            return self.median >= self.at_least
        if self.at_most is not None:
            return self.median <= self.at_most
        return None

    def cells(self) -> tuple[str, ...]:
        """
        Return the texts of its cells.
        """
        target = ""
        if self.at_least is not None:
            target = f"≥ {self.form.format(self.at_least)}"
        if self.at_most is not None:
            target = f"≤ {self.form.format(self.at_most)}"
        low, high = (self.form.format(f(self.values)) for f in (min, max))
        spread = f"{low} to {high}" if len(self.values) > 1 else "one run"
        middle = self.form.format(self.median)
        reached = {None: "", True: "yes", False: "NO"}[self.reached]
        return self.measured, middle, spread, self.numbers, target, reached


@frozen
class Curve:
    """
    How one quantity grows with another.

    :ivar points: what was measured, by what it depends on.
    """

    title: str
    across: str
    up: str
    label: str
    points: Mapping[int, Sequence[float]]


def ratios(of: Iterable[float], to: Iterable[float]) -> list[float]:
    """
    Divide what was measured in the same turn.
    """
    return [ours / theirs for ours, theirs in zip(of, to, strict=True)]


def table(figures: Sequence[Figure]) -> str:
    """
    Return the table.
    """
    lines = [_HEAD, ("---",) * len(_HEAD), *(figure.cells() for figure in figures)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
