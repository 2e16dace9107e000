"""A container's report, from its events: outcomes, cells, faults, and the tables made of them."""

from typing import Any

from barsync_async.messages import (
    Bar,
    BarRejected,
    Event,
    EventType,
    Features,
    LateBar,
    PortfolioUpdate,
    Signal,
    SynchronizedBars,
    SyncSkipped,
)
from barsync_async.report.container import ContainerRecord, ContainerReport
from barsync_async.report.tables import tables_of
from barsync_async.testing import create_bar
from barsync_async.units import WallMs

MINUTE = 60_000


def sealed(number: int, status: Any, cells: dict[str, Any], missing: tuple[str, ...] = ()) -> Event:
    bars: Any = {
        source: Bar(source[:-3], "1m", WallMs(number * MINUTE), 1.0, 1.0, 1.0, 1.0, 1.0, provenance)
        for source, provenance in cells.items()
    }
    payload = SynchronizedBars(
        timestamp=WallMs(number * MINUTE),
        status=status,
        bars=bars,
        sources_present=tuple(sorted(set(bars) - set(missing))),
        sources_missing=missing,  # type: ignore[arg-type]
        wait_ms=2.5,
        loop_lag_ms=0.0,
    )
    return Event(EventType.SYNCHRONIZED_BARS, payload)


def skipped(number: int, reason: Any, present: Any, missing: Any) -> Event:
    payload = SyncSkipped(
        timestamp=WallMs(number * MINUTE),
        reason=reason,
        sources_present=present,
        sources_missing=missing,
        wait_ms=100.0,
    )
    return Event(EventType.SYNC_SKIPPED, payload)


def reported(*events: Event) -> ContainerReport:
    record = ContainerRecord("c")
    for event in events:
        record.take(event)
    return record.report()


def day() -> ContainerReport:
    late = LateBar(
        timestamp=WallMs(MINUTE),
        bar=create_bar("B_1m", MINUTE),
        late_by_ms=1.0,
        action="dropped",
    )
    rejected = BarRejected(timestamp=WallMs(0), reason="off_grid", feed="f", detail="")
    revised = sealed(2, "complete", {"A_1m": "fresh", "B_1m": "fresh"})
    return reported(
        skipped(1, "warmup", ("A_1m",), ("B_1m",)),
        sealed(2, "partial", {"A_1m": "fresh"}, ("B_1m",)),
        sealed(3, "filled", {"A_1m": "fresh", "B_1m": "filled"}, ("B_1m",)),
        sealed(4, "complete", {"A_1m": "fresh", "B_1m": "carried"}),
        Event(EventType.SYNCHRONIZED_BARS_REVISED, revised.payload),
        Event(EventType.LATE_BAR, late),
        Event(EventType.BAR_REJECTED, rejected),
    )


def test_every_timestamp_counts_once_and_a_revision_is_none() -> None:
    report = day()
    assert report.sets.counts == {"complete": 1, "filled": 1, "partial": 1, "skipped": 1}
    assert report.sets.reasons == {"warmup": 1}
    assert report.sets.timestamp.tolist() == [each * MINUTE for each in (1, 2, 3, 4)]
    assert report.sets.present.tolist() == [1, 1, 1, 2]
    assert report.sets.missing.tolist() == [1, 1, 1, 0]
    assert report.sets.wait_ms.tolist() == [100.0, 2.5, 2.5, 2.5]
    assert (report.revised, report.rejected) == (1, {"off_grid": 1})


def test_a_source_has_its_cells_by_provenance_and_what_was_missing_or_in_vain() -> None:
    sources = day().sources
    a, b = sources["A_1m"], sources["B_1m"]  # type: ignore[index]
    assert (a.fresh, a.skipped, a.missing, a.late) == (3, 1, 0, 0)
    assert (b.fresh, b.carried, b.filled, b.missing, b.late) == (0, 1, 1, 2, 1)


def test_what_a_set_lacks_is_known_all_the_same_when_a_target_is_read() -> None:
    bar = create_bar("A_1m", MINUTE, 10.0)
    said = Signal(timestamp=bar.timestamp, strategy="one", targets={"A_1d": 5.0}, reason="")
    heard = {"positions": {}, "cash": 1.0, "equity": 1.0, "applied": ("one",)}
    report = reported(
        sealed(1, "partial", {"A_1m": "fresh"}, ("A_1d_1m",)),
        Event(
            EventType.FEATURES,
            Features(timestamp=bar.timestamp, features={}, bars={bar.source: bar}),
        ),
        Event(EventType.SIGNAL, said),
        Event(
            EventType.PORTFOLIO,
            PortfolioUpdate(timestamp=bar.timestamp, version=1, **heard),  # type: ignore[arg-type]
        ),
    )
    assert report.strategies["one"].traded == 0.0


def test_a_container_that_published_nothing_has_a_report_too() -> None:
    report = reported()
    assert sum(report.sets.counts.values()) == 0
    assert report.portfolio is None
    assert tables_of([report]) == []


def test_tables_have_columns_of_one_length_with_all_containers_below_one_another() -> None:
    other = ContainerRecord("d")
    other.take(sealed(9, "complete", {"A_1m": "fresh"}))
    tables = {table.name: table.columns for table in tables_of([day(), other.report()])}
    assert set(tables) == {"sets", "sources"}
    for columns in tables.values():
        assert len({len(column) for column in columns.values()}) == 1
    sets = tables["sets"]
    assert sets["container"] == ["c"] * 4 + ["d"]
    assert sets["outcome"] == ["skipped", "partial", "filled", "complete", "complete"]
    assert sets["reason"] == ["warmup", "", "", "", ""]
    assert sets["time"][0] == "1970-01-01T00:01:00Z"
    assert tables["sources"]["source"] == ["A_1m", "B_1m", "A_1m"]
