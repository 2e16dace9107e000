"""All strategies' decisions for one timestamp, met in one place before any of them is applied."""

from collections.abc import Sequence

from barsync_async.messages import Features, Signal


class Barrier:
    """Waits for one answer of each of ``strategies`` about ``features``, in any order.

    An answer is a decision, or word that there is none. It knows no time: whoever holds it
    decides how long to wait, and may then do without those in :attr:`missing`.
    """

    def __init__(self, strategies: Sequence[str], features: Features) -> None:
        self.features = features
        self._strategies = tuple(strategies)
        self._answers: dict[str, Signal | None] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """The strategies that have not answered, in their order."""
        return tuple(name for name in self._strategies if name not in self._answers)

    @property
    def decisions(self) -> tuple[Signal, ...]:
        """The decisions so far, in the order of the strategies, whoever was quicker."""
        answers = (self._answers.get(name) for name in self._strategies)
        return tuple(answer for answer in answers if answer is not None)

    def answer(self, strategy: str, signal: Signal | None) -> bool:
        """``strategy`` has decided, or (None) will not. Whether that was its first answer here
        and it is expected at all; any other is left aside.
        """
        if strategy not in self.missing:
            return False
        self._answers[strategy] = signal
        return True
