"""What becomes of each closed bar and each connection: drawn from the seed, per bar.

A fate depends on the seed, the source and the bar's step alone: not on clients, on time, on the
order of asking, or on what becomes of other bars. Each fate takes the same number of draws, so a
scenario with more loss delays the remaining bars exactly as before.
"""

import msgspec

from barsync_async.simulation.scenario import FaultsTable, Scenario, SourceTable
from barsync_async.simulation.seeding import seeded
from barsync_async.units import NS_PER_MS, SourceId

_NS_PER_S = 1_000_000_000


class Fate(msgspec.Struct, frozen=True):
    """What becomes of one closed bar.

    ``delay_ns`` runs from its close to its sending, ``again_ns`` from there to its second sending
    (None: there is none). ``swapped``: it goes out behind the next bar of its source. Where
    ``revised_ns`` is given, it goes out incomplete, and so long after that as it is.
    """

    delay_ns: int
    lost: bool
    again_ns: int | None
    swapped: bool
    revised_ns: int | None = None


class Ending(msgspec.Struct, frozen=True):
    """When the venue cuts a connection, from its opening, and whether without a word."""

    after_ns: int
    abrupt: bool


class SourceFaults:
    """The fates of one source's bars."""

    def __init__(self, seed: int, source: SourceId, table: SourceTable) -> None:
        self._seed = seed
        self._source = source
        self._table = table

    def fate(self, step: int) -> Fate:
        """What becomes of the bar that closes with ``step``."""
        draw = seeded(self._seed, "fate", self._source, step)
        lost, again, swapped, delay, delay_again, revised = (draw.random() for _ in range(6))
        table = self._table
        return Fate(
            self._delay_ns(delay),
            lost < table.loss,
            self._delay_ns(delay_again) if again < table.duplicate else None,
            swapped < table.reorder,
            round(table.revise_after_ms * NS_PER_MS) if revised < table.revise else None,
        )

    def _delay_ns(self, u: float) -> int:
        return round(self._table.delay.quantile(u) * NS_PER_MS)


def source_faults(scenario: Scenario) -> dict[SourceId, SourceFaults]:
    """One for each source of ``scenario``."""
    return {
        SourceId(name): SourceFaults(scenario.seed, SourceId(name), scenario.source(SourceId(name)))
        for name in scenario.sources
    }


def ending(seed: int, connection: int, faults: FaultsTable) -> Ending | None:
    """When the venue cuts the ``connection``-th connection, or None if it never does."""
    if faults.disconnect_every_s is None:
        return None
    draw = seeded(seed, "ending", connection)
    jitter = faults.disconnect_jitter * draw.uniform(-1.0, 1.0)
    after_ns = round(faults.disconnect_every_s * (1.0 + jitter) * _NS_PER_S)
    return Ending(after_ns, draw.random() < faults.abrupt)
