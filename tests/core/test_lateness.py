"""Late bars: how late, and what becomes of them."""

from typing import Any

import pytest
from tests.core.scene import MS, NOON, at, slot_of, some_bar, synchronizer

from barsync_async.core.alignment import Alignment
from barsync_async.core.lateness import Lateness
from barsync_async.core.memory import Memory
from barsync_async.core.publication import Publication
from barsync_async.core.slot import Slot, State
from barsync_async.core.statistics import Counters
from barsync_async.messages import LateBar, SynchronizedBars
from barsync_async.units import MonoNs, SourceId

BAR = some_bar("QQQ_1m", close=9.0)  # of the first of two sources


class Desk:
    """Lateness over a memory that a test fills itself."""

    def __init__(self, *, require_all: bool = True, **options: Any) -> None:
        spec = synchronizer(**{"late": "amend", "allowed_lateness_ms": 50, **options}).spec
        alignment = Alignment([SourceId("QQQ_1m"), SourceId("SPY_1m")])
        self.counters = Counters(alignment.sources)
        self.memory = Memory(9, 2)
        publication = Publication(alignment, self.counters, require_all=require_all)
        self.lateness = Lateness(spec, self.memory, publication)

    def slot(self, *, state: State = State.RELEASED, spy: float | None = 1.0) -> Slot:
        """It was sealed at 100 ms; a released one is remembered."""
        slot = slot_of(2)
        if spy is not None:
            slot.deliver(1, some_bar("SPY_1m", close=spy))
        slot.state, slot.sealed_at = state, MonoNs(100 * MS)
        if state is State.RELEASED:
            self.memory.release(slot)
            self.lateness.release(slot, slot.cells)
        return slot

    def take(self, slot: Slot | None, ms: float, close: float = 9.0) -> list[Any]:
        bar = some_bar("QQQ_1m", close=close)
        return [short(each) for each in self.lateness.take(bar, 0, slot, at(ms))]


def short(each: LateBar | SynchronizedBars) -> Any:
    if isinstance(each, LateBar):
        return each.action, each.late_by_ms
    return each.revision, each.status, each.bars[SourceId("QQQ_1m")].close


@pytest.mark.parametrize(
    ("ms", "action"), [(100, "amended"), (150, "amended"), (150.001, "dropped")]
)
def test_a_late_bar_amends_its_set_as_long_as_that_is_allowed(ms: float, action: str) -> None:
    desk = Desk()
    told = desk.take(desk.slot(), ms)
    assert told[0] == (action, ms - 100 if ms != 150.001 else 50.001)
    assert told[1:] == ([(1, "complete", 9.0)] if action == "amended" else [])


def test_by_the_policy_drop_nothing_is_amended() -> None:
    desk = Desk(late="drop")
    slot = desk.slot()
    assert desk.take(slot, 100) == [("dropped", 0.0)]
    assert slot.newest(0) == BAR, "its repetition is known all the same"
    assert slot.final is None


def test_a_bar_read_before_the_seal_is_late_by_nothing() -> None:
    desk = Desk()
    assert desk.take(desk.slot(), 90)[0] == ("amended", 0.0)


def test_each_late_bar_gives_the_next_revision() -> None:
    desk = Desk()
    slot = desk.slot()
    assert desk.take(slot, 110)[1:] == [(1, "complete", 9.0)]
    assert desk.take(slot, 120, close=8.0)[1:] == [(2, "complete", 8.0)]
    assert desk.counters.revised == 2


def test_an_amendment_of_a_sealed_slot_follows_its_release() -> None:
    desk = Desk()
    slot = desk.slot(state=State.SEALED)
    assert desk.take(slot, 110) == [("amended", 10.0)]
    assert desk.take(slot, 120, close=8.0) == [("amended", 20.0)]
    slot.state = State.RELEASED
    revised = desk.lateness.release(slot, slot.cells)
    assert [short(each) for each in revised] == [(1, "complete", 9.0), (2, "complete", 8.0)]


def test_a_set_that_still_lacks_a_cell_is_amended_but_not_published() -> None:
    desk = Desk()
    slot = desk.slot(spy=None)
    assert desk.take(slot, 110) == [("amended", 10.0)]
    assert slot.revision == 0
    assert Desk(require_all=False).take(desk.slot(spy=None), 110)[1:] == [(1, "partial", 9.0)]


def test_an_amendment_alters_no_list_that_others_may_hold() -> None:
    desk = Desk()
    slot = desk.slot()
    cells = slot.cells
    desk.take(slot, 110)
    assert cells[0] is None
    assert slot.cells[0] == BAR


def test_a_late_bar_of_a_timestamp_without_a_slot_is_dropped_and_kept_as_a_stray() -> None:
    desk = Desk()
    later = desk.slot()
    later.timestamp = type(later.timestamp)(NOON)
    bar = some_bar("QQQ_1m", minute=-1)
    (told,) = desk.lateness.take(bar, 0, None, at(120))
    assert short(told) == ("dropped", 20.0)
    assert desk.memory.stray(0, bar.timestamp) == bar


def test_before_anything_was_sealed_a_late_bar_is_late_by_nothing() -> None:
    assert Desk().take(None, 120) == [("dropped", 0.0)]
