"""Figures and tables of the page, as text for a person to read."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from barsync_async.report.container import ContainerReport
from barsync_async.report.figures import PortfolioFigures, portfolio_figures
from barsync_async.report.strategies import StrategyCounts
from barsync_async.report.tables import FAULTS
from barsync_async.units import counted, shown_time

Section = dict[str, Any]

_UNKNOWN = "n/a"


def section(report: ContainerReport) -> Section:
    """What the page says of one container, beside its charts."""
    figures = None
    if report.portfolio is not None:
        figures = portfolio_figures(report.portfolio, report.strategies)
    tables = [_sources(report)]
    if report.strategies:
        tables.insert(0, _strategies(report.strategies, figures))
    return {"name": report.name, "tiles": [*_tiles(report, figures)], "tables": tables}


def _tiles(report: ContainerReport, figures: PortfolioFigures | None) -> Iterator[tuple[str, str]]:
    counts = report.sets.counts
    timestamps = sum(counts.values())
    yield "timestamps", _count(timestamps)
    yield "sets", _count(timestamps - counts["skipped"])
    yield "complete", _share(counts["complete"] / timestamps if timestamps else math.nan)
    for outcome in ("filled", "partial"):
        if counts[outcome]:
            yield outcome, _count(counts[outcome])
    if counts["skipped"]:
        yield "skipped", _named(report.sets.reasons)
    if report.revised:
        yield "revisions", _count(report.revised)
    if report.rejected:
        yield "rejected", _named(report.rejected)
    if figures is not None:
        yield from _portfolio_tiles(figures)


def _portfolio_tiles(figures: PortfolioFigures) -> Iterator[tuple[str, str]]:
    yield "equity at the start", _money(figures.start)
    yield "equity at the end", _money(figures.end)
    yield "return", _share(figures.returned, 3)
    yield "greatest drawdown", _share(figures.max_drawdown, 3)
    yield "its deepest point", _moment(figures.trough) if figures.max_drawdown > 0 else _UNKNOWN
    yield "traded", _money(figures.traded)
    yield "turnover, times the mean equity", _number(figures.turnover)
    yield "costs", _money(figures.costs)
    yield "mean gross exposure", _share(figures.exposure)
    yield "greatest gross exposure", _share(figures.max_exposure)


def _strategies(
    strategies: Mapping[str, StrategyCounts], figures: PortfolioFigures | None
) -> Section:
    rows = [
        [
            name,
            *map(_count, (each.decisions, each.applied, each.changes, each.refused)),
            *(_count(each.faults.get(kind, 0)) for kind in FAULTS),
            _money(each.traded),
            _money(each.gain),
        ]
        for name, each in strategies.items()
    ]
    note = "Traded and gain are of each strategy's own holdings, at the marks, before costs."
    if figures is not None and abs(figures.unattributed) >= _CENT:
        note += f" Gain that is no strategy's own: {_money(figures.unattributed)}."
    heads = ["strategy", "decisions", "applied", "changes", "refused", *FAULTS, "traded", "gain"]
    return {"title": "Strategies", "heads": heads, "rows": rows, "note": note}


_CENT = 0.005


def _sources(report: ContainerReport) -> Section:
    received = ("received", "duplicate", "corrected", "late", "rejected")
    cells = ("fresh", "carried", "filled", "interpolated", "missing", "skipped")
    names = (*received, *cells)
    rows = [
        [source, *(_count(getattr(counts, name)) for name in names)]
        for source, counts in report.sources.items()
    ]
    note = (
        "Bars that came in, then cells of the sets by provenance. Missing: no cell, because it was "
        "waited for in vain and nothing stood in, or because a slower source, or one whose market "
        "was closed, had no bar yet and nobody waited. Skipped: there, but the set was not "
        "published."
    )
    return {"title": "Sources", "heads": ["source", *names], "rows": rows, "note": note}


def summary(report: ContainerReport) -> str:
    """One container in a line."""
    counts = report.sets.counts
    timestamps = sum(counts.values())
    told = f"{report.name}: {counted(timestamps - counts['skipped'], 'set')}"
    if timestamps:
        told += f" of {counted(timestamps, 'timestamp')}, {_share(counts['complete'] / timestamps)}"
        told += " complete"
    if report.portfolio is not None:
        figures = portfolio_figures(report.portfolio, report.strategies)
        told += (
            f"; equity {_money(figures.start)} to {_money(figures.end)} "
            f"({_share(figures.returned, 3)}), drawdown {_share(figures.max_drawdown, 3)}"
        )
    return told


def histories(given: Sequence[Sequence[Any]]) -> Section:
    """The histories that were run on, each a row of source, file, bars, rows that are no bars,
    first and last timestamp.
    """
    rows = [
        [source, _count(bars), _count(rejected), shown_time(first), shown_time(last), path]
        for source, path, bars, rejected, first, last in given
    ]
    heads = ["source", "bars", "rows that are no bars", "first", "last", "file"]
    return {"title": "Histories", "heads": heads, "rows": rows, "note": ""}


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_count(count)} {name}" for name, count in counts.items())


def _count(value: int) -> str:
    return f"{value:,}"


def _money(value: float) -> str:
    return _UNKNOWN if math.isnan(value) else f"{_plain(value, 2):,.2f}"


def _number(value: float) -> str:
    return _UNKNOWN if math.isnan(value) else f"{value:,.2f}"


def _share(value: float, digits: int = 2) -> str:
    return _UNKNOWN if math.isnan(value) else f"{_plain(100 * value, digits):,.{digits}f} %"


def _moment(timestamp: int) -> str:
    return shown_time(timestamp).replace("T", " ").replace("Z", " UTC")


def _plain(value: float, digits: int) -> float:
    """Rounded, and no minus before a zero."""
    return round(value, digits) + 0.0
