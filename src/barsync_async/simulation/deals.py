"""When the venue tells each trade: at its moment, or a little later, and some of them twice.

Each trade is delayed by itself, so one may overtake another.
"""

import heapq
from collections.abc import Iterable, Iterator

from barsync_async.simulation.faults import SourceFaults
from barsync_async.simulation.roles import Deal
from barsync_async.simulation.scenario import Scenario, SourceTable
from barsync_async.units import TRADES, SourceId, split_source


class DealSchedule:
    """All trades that are still to be told, as ``[trades]`` of ``scenario`` has it."""

    def __init__(self, scenario: Scenario) -> None:
        table = SourceTable(delay=scenario.trades.delay, duplicate=scenario.trades.duplicate)
        self._faults = {
            symbol: SourceFaults(scenario.seed, SourceId(f"{symbol}_{TRADES}"), table)
            for symbol in {split_source(source)[0] for source in scenario.sources}
        }
        self._heap: list[tuple[int, int, Deal]] = []
        self._planned = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, deals: Iterable[tuple[int, Deal]]) -> None:
        """Plan when each is told that happens at the moment before it."""
        for moment_ns, deal in deals:
            fate = self._faults[deal.symbol].fate(deal.number)
            due_ns = moment_ns + fate.delay_ns
            self._push(due_ns, deal)
            if fate.again_ns is not None:
                self._push(due_ns + fate.again_ns, deal)

    def next_at(self) -> int | None:
        """The moment of the next one."""
        return self._heap[0][0] if self._heap else None

    def take(self, now_ns: int) -> Iterator[Deal]:
        """All that are due by ``now_ns``, in their order."""
        while self._heap and self._heap[0][0] <= now_ns:
            yield heapq.heappop(self._heap)[2]

    def _push(self, due_ns: int, deal: Deal) -> None:
        self._planned += 1
        heapq.heappush(self._heap, (due_ns, self._planned, deal))
