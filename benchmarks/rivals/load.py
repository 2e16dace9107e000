"""What every contender is given, and what it has to show for it."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from barsync_async.messages import Bar
from barsync_async.units import WallMs

if TYPE_CHECKING:
    from benchmarks._common import now_ns
else:
    from _common import now_ns

MINUTE_MS = 60_000
FIRST = WallMs(1_700_000_040_000 - 1_700_000_040_000 % MINUTE_MS)
"""The close of the first minute."""


class Load(NamedTuple):
    """Bars of successive minutes in order, of every source in every minute.

    All have one timeframe, so a symbol names a source.
    """

    symbols: tuple[str, ...]
    minutes: int

    @property
    def total(self) -> int:
        """How many bars there are."""
        return len(self.symbols) * self.minutes

    def timestamps(self) -> list[WallMs]:
        """The close of every minute."""
        return [WallMs(FIRST + number * MINUTE_MS) for number in range(self.minutes)]

    def bars(self) -> list[Bar]:
        """All of them, no two objects alike, in the order in which they come."""
        return [
            Bar(symbol, "1m", timestamp, price, price + 0.5, price - 0.5, price + 0.25, 1_234.0)
            for timestamp in self.timestamps()
            for price, symbol in enumerate(self.symbols, start=100)
        ]


class Result(NamedTuple):
    """How many complete sets came of the load, how long that took, and how much of a processor:
    of all the process's threads, so that others on the machine show less in it.
    """

    sets: int
    elapsed_ns: int
    cpu_ns: int


class Stopwatch:
    """Runs from its making on."""

    def __init__(self) -> None:
        self._wall_ns, self._cpu_ns = now_ns(), time.process_time_ns()

    def result(self, sets: int) -> Result:
        """What it shows now."""
        return Result(sets, now_ns() - self._wall_ns, time.process_time_ns() - self._cpu_ns)


class Contender(NamedTuple):
    """Someone who groups bars by timestamp.

    ``distribution`` is what to install for it, None where nothing is needed. ``most_bars`` gives
    how many bars it gets at most of so many sources, to be done in reasonable time; fewer than
    those of two minutes: none, for the reason ``too_slow``.
    """

    name: str
    run: Callable[[Load], Result]
    distribution: str | None = None
    most_bars: Callable[[int], int] | None = None
    too_slow: str = ""
