"""From settled cells to what is said of them."""

from typing import Any

import msgspec
import pytest
from tests.core.scene import MINUTE, MS, slot_of, some_bar

from barsync_async.core.alignment import Alignment
from barsync_async.core.publication import Publication
from barsync_async.core.slot import Slot
from barsync_async.core.statistics import Counters
from barsync_async.messages import Bar, SynchronizedBars, SyncSkipped
from barsync_async.units import MonoNs, SourceId

ALIGNMENT = Alignment(map(SourceId, ("QQQ_1m", "SPY_1m", "SPY_5m")))
ALL = b"\x01\x01\x01"
BASE = b"\x01\x01\x00"


class Press:
    def __init__(self, *, require_all: bool = True) -> None:
        self.counters = Counters(ALIGNMENT.sources)
        self.publication = Publication(ALIGNMENT, self.counters, require_all=require_all)

    def judged(self, slot: Slot, cells: Any, cold: Any = ()) -> Any:
        return self.publication.judged(slot, cells, cold=cold)


def slot(*delivered: int, due: bytes = ALL) -> Slot:
    """It opened at 0, fell due at 100 ms and was sealed at 130 ms."""
    found = slot_of(3, due=due)
    found.sealed_at = MonoNs(130 * MS)
    for index in delivered:
        found.deliver(index, cell(index))
    return found


def cell(index: int, provenance: Any = "fresh") -> Bar:
    bar = some_bar(ALIGNMENT.sources[index], close=index + 1.0)
    age_ms = 0 if provenance == "fresh" else MINUTE
    return msgspec.structs.replace(bar, provenance=provenance, age_ms=age_ms)


def test_a_whole_set_names_all_its_sources_as_present() -> None:
    press = Press()
    bars = press.publication.whole(slot(0, 1, 2))
    assert (bars.status, bars.revision, bars.wait_ms, bars.loop_lag_ms) == ("complete", 0, 130, 30)
    assert bars.sources_present == ALIGNMENT.sources
    assert bars.sources_missing == ()
    assert dict(bars.bars) == {s: cell(n) for n, s in enumerate(ALIGNMENT.sources)}
    assert press.counters.sets_by == {"complete": 1}


def test_carried_cells_are_present_and_do_not_keep_a_set_from_being_complete() -> None:
    bars = Press().judged(slot(0, 1, due=BASE), [cell(0), cell(1), cell(2, "carried")])
    assert bars.status == "complete"
    assert bars.sources_present == ALIGNMENT.sources


@pytest.mark.parametrize("provenance", ["filled", "interpolated"])
def test_a_substitute_makes_a_set_filled_and_its_source_is_missing(provenance: str) -> None:
    press = Press()
    bars = press.judged(slot(0, 2), [cell(0), cell(1, provenance), cell(2)])
    assert (bars.status, bars.loop_lag_ms) == ("filled", 30)
    assert bars.sources_present == ("QQQ_1m", "SPY_5m")
    assert bars.sources_missing == ("SPY_1m",)
    assert press.counters.sets_by == {"filled": 1}


def test_an_empty_cell_makes_a_set_partial_where_not_all_are_required() -> None:
    press = Press(require_all=False)
    bars = press.judged(slot(0), [cell(0), None, None], cold=[1, 2])
    assert (bars.status, list(bars.bars)) == ("partial", ["QQQ_1m"])
    assert press.counters.sets_by == {"partial": 1}


def test_a_set_is_complete_without_a_slower_source_that_has_no_bar_yet() -> None:
    bars = Press(require_all=False).judged(slot(0, 1, due=BASE), [cell(0), cell(1), None], [2])
    assert (bars.status, bars.sources_missing) == ("complete", ("SPY_5m",))


@pytest.mark.parametrize(
    ("due", "cold", "reason"),
    [
        (ALL, [], "incomplete"),
        (ALL, [1], "incomplete"),
        (ALL, [2], "warmup"),  # slower
        (b"\x01\x00\x01", [1], "warmup"),  # not due
    ],
)
def test_where_all_are_required_a_set_with_an_empty_cell_is_skipped(
    due: bytes, cold: list[int], reason: str
) -> None:
    press = Press()
    skip = press.judged(slot(0, due=due), [cell(0), None, None], cold)
    assert isinstance(skip, SyncSkipped)
    assert (skip.reason, skip.wait_ms) == (reason, 130)
    assert (skip.sources_present, skip.sources_missing) == (("QQQ_1m",), ("SPY_1m", "SPY_5m"))
    assert press.counters.skips_by == {reason: 1}
    assert not press.counters.sets_by


@pytest.mark.parametrize("require_all", [False, True])
def test_without_any_cell_a_set_is_skipped_as_empty(require_all: bool) -> None:
    press = Press(require_all=require_all)
    assert press.judged(slot(), [None, None, None], cold=[0, 1, 2]).reason == "empty"


@pytest.mark.parametrize("cells", [[None] * 3, [cell(n, "filled") for n in range(3)]])
def test_what_the_machine_slept_through_is_suspended(cells: Any) -> None:
    press = Press(require_all=False)
    some = slot()
    some.slept = True
    assert press.judged(some, cells).reason == "suspended"
    assert press.counters.skips_by == {"suspended": 1}


def revised(press: Press, some: Slot, cells: Any) -> SynchronizedBars | None:
    return press.publication.revised(some, cells)


def test_a_revision_is_judged_anew_and_numbered() -> None:
    press = Press(require_all=False)
    some = slot(0, due=BASE)
    first = revised(press, some, [cell(0), cell(1, "filled"), None])
    assert first is not None
    assert (first.revision, first.status) == (1, "partial")
    some.cells[1] = cell(1)
    second = revised(press, some, [cell(0), cell(1), None])
    assert second is not None
    assert (second.revision, second.status) == (2, "complete")
    assert press.counters.revised == 2
    assert not press.counters.sets_by


def test_a_revision_with_substitutes_for_all_that_is_missing_is_filled() -> None:
    found = revised(Press(), slot(0), [cell(0), cell(1, "filled"), cell(2, "filled")])
    assert found is not None
    assert found.status == "filled"


def test_a_set_in_which_nobody_is_due_is_never_complete() -> None:
    found = revised(Press(), slot(due=bytes(3)), [cell(n, "carried") for n in range(3)])
    assert found is not None
    assert found.status == "filled"


def test_where_all_are_required_a_revision_waits_for_the_last_cell() -> None:
    press = Press()
    some = slot(0)
    assert revised(press, some, [cell(0), cell(1), None]) is None
    assert (some.revision, press.counters.revised) == (0, 0)
    found = revised(press, some, [cell(0), cell(1), cell(2, "carried")])
    assert found is not None
    assert found.revision == 1
