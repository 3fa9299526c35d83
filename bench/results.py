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
from bench.servers import WrongAnswer

_INCHES = (13, 4)
_DOTS = 110
_CAPTION = ("cvmpair", "etcd", "processor", "cores", "when")
_OF_A_RUN = ("when", "load before", "runs")


def read(file: Path) -> dict[str, Any]:
    """
    Return what earlier runs of the day have left; nothing if there is no such file.

    :raises WrongAnswer: if it is not what they write.
    """
    if not file.exists():
        return {"about": {}, "figures": [], "curves": []}
    try:
        kept: dict[str, Any] = json.loads(file.read_text())
        for each in (*kept["figures"], *kept["curves"]):
            each.setdefault("about", _short(kept["about"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise WrongAnswer(f"{file} holds no results: move it away") from None
    return kept


def write(
    file: Path,
    about: Mapping[str, str],
    figures: Sequence[Figure],
    curves: Sequence[Curve],
) -> tuple[Mapping[str, str], Sequence[Curve]]:
    """
    Write everything that was measured, beside what earlier runs of the day have left
    of other figures and curves; each has the time of its own run, and how that went.

    :return: all the curves of the file, and what to say about them.
    """
    kept, short = read(file), _short(about)
    new_figures = [
        {
            **attrs.asdict(figure),
            "median": figure.median,
            "reached": figure.reached,
            "about": short,
        }
        for figure in figures
    ]
    new_curves = [{**attrs.asdict(curve), "about": short} for curve in curves]
    everything = {
        "about": about,
        "figures": _merged(kept["figures"], new_figures, "measured"),
        "curves": _merged(kept["curves"], new_curves, "title", "label"),
    }
    file.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n")
    times = dict.fromkeys(curve["about"]["when"] for curve in everything["curves"])
    return (
        {**about, "when": " and ".join(times)},
        [_curve(curve) for curve in everything["curves"]],
    )


def _short(about: Mapping[str, str]) -> dict[str, str]:
    return {name: about[name] for name in _OF_A_RUN}


def _merged(old: Sequence[Any], new: Sequence[Any], *names: str) -> list[Any]:
    # What is measured again takes the place of what there was.
    merged = {tuple(each[name] for name in names): each for each in (*old, *new)}
    return list(merged.values())


def _curve(members: Mapping[str, Any]) -> Curve:
    # JSON knows no numbers as names.
    points = {int(across): values for across, values in members["points"].items()}
    names = ("title", "across", "up", "label")
    return Curve(**{name: members[name] for name in names}, points=points)


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
