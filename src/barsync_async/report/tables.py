"""The report as tables: columns of one length each, for whatever file they go to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import msgspec

from barsync_async.messages import FaultKind
from barsync_async.report.container import ContainerReport
from barsync_async.report.portfolio import PortfolioSeries
from barsync_async.report.sets import OUTCOMES, REASONS, Integers, SetSeries
from barsync_async.report.sources import SourceCounts
from barsync_async.units import shown_time

FAULTS: tuple[str, ...] = get_args(FaultKind)


class Table(msgspec.Struct, frozen=True):
    """``columns`` by name, in their order; ``timestamp`` is in ms since the epoch, and ``time`` the
    same for a person to read.
    """

    name: str
    columns: Mapping[str, Sequence[Any]]


def tables_of(reports: Sequence[ContainerReport]) -> list[Table]:
    """``sets``, ``equity``, ``strategies`` and ``sources`` of all containers, one below the other;
    those that would be empty are left out.
    """
    tables = [
        _joined("sets", ((each.name, _sets(each.sets)) for each in reports)),
        _joined(
            "equity",
            (
                (each.name, _equity(each.portfolio))
                for each in reports
                if each.portfolio is not None
            ),
        ),
        _joined("strategies", ((each.name, _strategies(each)) for each in reports)),
        _joined("sources", ((each.name, _sources(each.sources)) for each in reports)),
    ]
    return [table for table in tables if any(map(len, table.columns.values()))]


Columns = dict[str, list[Any]]


def _joined(name: str, parts: Iterable[tuple[str, Columns]]) -> Table:
    joined: Columns = {}
    for container, columns in parts:
        rows = len(next(iter(columns.values())))
        joined.setdefault("container", []).extend([container] * rows)
        for key, values in columns.items():
            joined.setdefault(key, []).extend(values)
    return Table(name, joined)


def _sets(sets: SetSeries) -> Columns:
    return {
        **_stamps(sets.timestamp),
        "outcome": [OUTCOMES[place] for place in sets.outcome.tolist()],
        "reason": [REASONS[place] for place in sets.reason.tolist()],
        "present": sets.present.tolist(),
        "missing": sets.missing.tolist(),
        "wait_ms": sets.wait_ms.tolist(),
    }


def _equity(series: PortfolioSeries) -> Columns:
    values = ("cash", "equity", "drawdown", "gross", "net", "traded", "costs")
    return {
        **_stamps(series.timestamp),
        "version": series.version.tolist(),
        **{name: getattr(series, name).tolist() for name in values},
    }


def _strategies(report: ContainerReport) -> Columns:
    each = report.strategies.values()
    return {
        "strategy": [*report.strategies],
        **{
            name: [getattr(counts, name) for counts in each]
            for name in ("decisions", "applied", "changes", "refused")
        },
        **{kind: [counts.faults.get(kind, 0) for counts in each] for kind in FAULTS},
        "traded": [counts.traded for counts in each],
        "gain": [counts.gain for counts in each],
    }


def _sources(sources: Mapping[Any, SourceCounts]) -> Columns:
    names = SourceCounts.__struct_fields__
    return {
        "source": [*sources],
        **{name: [getattr(each, name) for each in sources.values()] for name in names},
    }


def _stamps(stamps: Integers) -> Columns:
    values = stamps.tolist()
    return {"timestamp": values, "time": [shown_time(each) for each in values]}
