"""Which strategies will speak about the next set, by what was said of them so far."""

from collections.abc import Iterable

from barsync_async.messages import StrategyFault


class Roster:
    """Knows who rests after a fault, and for how many sets."""

    def __init__(self) -> None:
        self._rests: dict[str, int | None] = {}

    def told(self, fault: StrategyFault) -> None:
        """A strategy failed, and rests as the fault says."""
        self._rests[fault.strategy] = fault.rest_sets

    def next_set(self, strategies: Iterable[str]) -> tuple[str, ...]:
        """Another set is there: those of ``strategies`` who are asked about it, in their order."""
        return tuple(strategy for strategy in strategies if self._is_asked(strategy))

    def _is_asked(self, strategy: str) -> bool:
        rest = self._rests.get(strategy, 0)
        if rest:
            self._rests[strategy] = rest - 1
        return rest == 0
