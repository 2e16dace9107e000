"""Strategies that misbehave, and one that trades; configs name them by their path."""

from typing import Any

from barsync_async.messages import Decision, Features, PortfolioUpdate


class _Counting:
    """Knows the number of the decision since it was made."""

    def __init__(self) -> None:
        self._asked = 0

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Any:
        self._asked += 1
        return self._decide(features)

    def _decide(self, features: Features) -> Any:
        raise NotImplementedError


class Trader(_Counting):
    """Wants another position in every symbol at every set."""

    name = "trader"

    def _decide(self, features: Features) -> Decision:
        targets = {
            bar.symbol: (bar.close * 4 + self._asked) % 7 - 3 for bar in features.bars.values()
        }
        return Decision(targets, "as told")


class Crashing(_Counting):
    """Raises at every third decision of its life."""

    name = "crashing"

    def _decide(self, features: Features) -> Decision:
        if self._asked % 3 == 0:
            raise RuntimeError("as told")
        return Decision({"AA": float(self._asked)}, "not yet")


class Garbage(_Counting):
    """Gives back what is no decision."""

    name = "garbage"

    def _decide(self, features: Features) -> Any:
        answers = (
            None,
            Decision({"AA": float("nan")}, "not a number"),
            Decision({"AA": 1e300}, "too many"),
            Decision({1: 2.0}, "no text"),  # type: ignore[dict-item]  # that is the point
            {"AA": 1.0},
            Decision({"AA": 1.0, "AA_1s": 2.0}, "twice"),
        )
        return answers[features.timestamp // 1_000 % len(answers)]


PATHS = {
    kind.name: f"tests.worlds.strategies:{kind.__name__}" for kind in (Trader, Crashing, Garbage)
}
