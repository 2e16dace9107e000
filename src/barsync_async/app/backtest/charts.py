"""The charts of a container, as the plotting library's own figures: plain data.

No name out of a config goes into them: the library would take markup in it for its own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from barsync_async.report.container import ContainerReport
from barsync_async.report.figures import ratio
from barsync_async.report.portfolio import PortfolioSeries
from barsync_async.report.sets import OUTCOMES, Floats, Integers, SetSeries
from barsync_async.report.thinning import completeness, kept_points

_RUNS = 120
_MOST_BREAKS = 60
_LONG_GAP = 10  # times the usual distance of two timestamps
_ONLY_STEP_MS = 60_000  # how long the only set of all is drawn

_COLORS = dict(zip(OUTCOMES, ("#2f9e6e", "#3b82f6", "#d99000", "#e5484d"), strict=True))
_BLUE, _RED, _VIOLET = "#3b82f6", "#e5484d", "#8b5cf6"

Chart = dict[str, Any]


def charts_of(report: ContainerReport, place: int) -> list[Chart]:
    """Completeness, and where there is a portfolio its equity, drawdown and exposure; ``place``
    tells the container from the page's others.
    """
    charts = [_completeness(report.sets)] if len(report.sets.timestamp) else []
    if report.portfolio is not None:
        charts = [*_of_portfolio(report.portfolio), *charts]
    axis = _time_axis(report.sets.timestamp)
    for number, chart in enumerate(charts):
        chart["id"] = f"chart-{place}-{number}"
        chart["layout"]["xaxis"] = axis
    return charts


def _time_axis(stamps: Integers) -> dict[str, Any]:
    """The same for all charts of a container, so that a moment stands at one place in all."""
    axis = {"title": {"text": "UTC"}, "hoverformat": "%Y-%m-%d %H:%M:%S UTC"}
    if not len(stamps):
        return axis
    usual = _usual_step(stamps)
    ends = [int(stamps[0]) - usual // 2, int(stamps[-1]) + usual]
    return {**axis, "range": ends, "rangebreaks": _breaks(stamps, usual)}


def _usual_step(stamps: Integers) -> int:
    return int(np.median(np.diff(stamps))) if len(stamps) > 1 else _ONLY_STEP_MS


def _of_portfolio(series: PortfolioSeries) -> list[Chart]:
    stamps = series.timestamp
    drawdown = -100 * series.drawdown
    exposure = 100 * ratio(series.gross, series.equity)
    share = "Gross exposure, % of equity"
    return [
        _line("Equity", stamps, series.equity, _BLUE, ",.2f", low=False),
        _line("Drawdown, %", stamps, drawdown, _RED, ".3f", filled=True, flat=[-1, 0]),
        _line(share, stamps, exposure, _VIOLET, ".2f", filled=True, flat=[0, 1]),
    ]


def _line(
    title: str,
    stamps: Integers,
    values: Floats,
    color: str,
    form: str,
    *,
    low: bool = True,
    filled: bool = False,
    flat: Sequence[float] | None = None,
) -> Chart:
    """``flat`` is what the axis spans where all values are 0."""
    places = kept_points(values)
    trace = {
        "type": "scatter",
        "mode": "lines" if len(places) > 1 else "markers",
        "name": title,
        "x": stamps[places].tolist(),
        "y": [None if np.isnan(each) else each for each in values[places].tolist()],
        "line": {"color": color, "width": 1.5},
        "hovertemplate": f"%{{y:{form}}}<extra></extra>",
        **({"fill": "tozeroy"} if filled else {}),
    }
    layout = {"showlegend": False, "yaxis": {"tickformat": ",", **_span(values, flat)}}
    return {"title": title, "low": low, "data": [trace], "layout": layout}


def _span(values: Floats, flat: Sequence[float] | None) -> dict[str, Any]:
    """What an axis spans where the library's choice would be a hair's breadth around one value, or
    both sides of a 0.
    """
    known = values[~np.isnan(values)]
    if not len(known) or known.min() < known.max():
        return {}
    only = float(known[0])
    if only == 0:
        return {"range": flat}
    return {"range": sorted([0.99 * only, 1.01 * only])}


def _completeness(sets: SetSeries) -> Chart:
    """A step for each run of timestamps, as high as the shares of its outcomes."""
    stamps, counts = completeness(sets, _RUNS)
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    x = [*stamps.tolist(), int(sets.timestamp[-1]) + _usual_step(sets.timestamp)]
    traces = [
        _steps(outcome, x, [*shares[:, place].tolist(), float(shares[-1, place])])
        for place, outcome in enumerate(OUTCOMES)
        if place == 0 or counts[:, place].any()
    ]
    layout = {"showlegend": True, "yaxis": {"range": [0, 100], "ticksuffix": " %"}}
    return {"title": "Completeness of the sets", "low": True, "data": traces, "layout": layout}


def _steps(outcome: str, x: list[int], y: list[float]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": outcome,
        "x": x,
        "y": y,
        "stackgroup": "all",
        "line": {"shape": "hv", "width": 0, "color": _COLORS[outcome]},
        "fillcolor": _COLORS[outcome],
        "hovertemplate": "%{y:.1f} %",
    }


def _breaks(stamps: Integers, usual: int) -> list[dict[str, Any]]:
    """The nights and weekends to leave out of a time axis; where they are many, none."""
    if len(stamps) < _LONG_GAP:
        return []
    steps = np.diff(stamps)
    places = np.flatnonzero(steps > _LONG_GAP * usual)
    if len(places) > _MOST_BREAKS:
        return []
    return [
        {"bounds": [int(stamps[place]) + usual // 2, int(stamps[place + 1]) - usual // 2]}
        for place in places.tolist()
    ]
