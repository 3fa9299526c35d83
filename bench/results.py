"""
What is kept of a run: all values in JSON, and a plot.
"""

import json
from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from pathlib import Path
from statistics import median
from typing import Any

import attrs

from bench.figures import Curve, Figure

_INCHES = (13, 4)
_DOTS = 110
_CAPTION = ("cvmpair", "etcd", "processor", "cores", "when")


def write(
    file: Path,
    about: Mapping[str, str],
    figures: Sequence[Figure],
    curves: Sequence[Curve],
) -> None:
    """
    Write everything that was measured.
    """
    everything = {
        "about": about,
        "figures": [
            {**attrs.asdict(figure), "median": figure.median, "reached": figure.reached}
            for figure in figures
        ],
        "curves": [attrs.asdict(curve) for curve in curves],
    }
    file.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n")


def plot(file: Path, about: Mapping[str, str], curves: Sequence[Curve]) -> None:
    """
    Draw the curves, those of one title together, with the spread of each point.
    """
    # It is only installed where the benchmark runs.
    from matplotlib.figure import Figure as Sheet  # noqa: PLC0415

    titles = list(dict.fromkeys(curve.title for curve in curves))
    sheet = Sheet(figsize=_INCHES, layout="constrained")
    panels = sheet.subplots(1, len(titles), squeeze=False)[0]
    for panel, title in zip(panels, titles, strict=True):
        for curve in curves:
            if curve.title == title:
                _draw(panel, curve)
        panel.set(xscale="log", yscale="log", title=title)
        panel.set_ylim(*_decades([curve for curve in curves if curve.title == title]))
        panel.grid(visible=True, which="both", alpha=0.3)
        panel.legend()
    named = [f"{name} {about[name]}" for name in _CAPTION if name in about]
    sheet.supxlabel(", ".join(named), fontsize="small")
    sheet.savefig(file, dpi=_DOTS)


def _decades(curves: Sequence[Curve]) -> tuple[float, float]:
    # Within one decade a log axis would make mountains of noise.
    values = [x for curve in curves for point in curve.points.values() for x in point]
    return 10 ** floor(log10(min(values))), 10 ** ceil(log10(max(values)))


def _draw(panel: Any, curve: Curve) -> None:
    middles = [median(values) for values in curve.points.values()]
    below = [m - min(v) for m, v in zip(middles, curve.points.values(), strict=True)]
    above = [max(v) - m for m, v in zip(middles, curve.points.values(), strict=True)]
    panel.errorbar(
        list(curve.points),
        middles,
        yerr=(below, above),
        marker="o",
        capsize=3,
        label=curve.label,
    )
    panel.set(xlabel=curve.across, ylabel=curve.up)
