"""One seed's trial: its world lived through and checked, some of them several times."""

import traceback
from collections import Counter
from dataclasses import dataclass, field

from tests.worlds.checks import check
from tests.worlds.draw import draw
from tests.worlds.life import live
from tests.worlds.record import Record

TWICE = 20
"""So many seeds of a run are lived through three times: as they come, again, and shuffled."""


@dataclass(frozen=True)
class Verdict:
    """What came of a seed; ``error`` is None where all was well."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    error: str | None = None

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.error}\nreplay it: make simulate FROM={self.seed} SEEDS=1"


def try_seed(seed: int, *, again: bool) -> Verdict:
    """The verdict on ``seed``; ``again``: its trace must be the same each time."""
    try:
        world = draw(seed)
        record = live(world)
        check(record)
        if again:
            check_again(record)
    except AssertionError as error:
        return Verdict(seed, error=str(error))
    except Exception:  # noqa: BLE001 - whatever it is, it is the seed's failure
        return Verdict(seed, error=traceback.format_exc())
    return Verdict(seed, record.faults)


def check_again(record: Record) -> None:
    """The same world gives the same bytes, whatever runs first.

    Where a burst does not fit into an inbox it comes in parts, and their order is the loop's.
    """
    world, trace = record.world, record.trace()
    assert live(world).trace() == trace, f"world {world.seed}: another trace the second time"
    if world.is_roomy and not record.has_ties:
        shuffled = live(world, order=world.seed)
        check(shuffled)
        assert shuffled.trace() == trace, f"world {world.seed}: another trace in another order"
