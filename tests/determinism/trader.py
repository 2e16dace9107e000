"""A strategy whose decisions hang on all that it is shown, and which takes its time at random."""

import math
from random import Random

from barsync_async.messages import Decision, Features, PortfolioUpdate

_SPINS = (0, 0, 300, 3_000, 30_000)


class Trader:
    """Decides by ``seed``, the features, the portfolio and what it decided before; raises at some
    sets. How long it takes is drawn from ``haste``, and may not show in any event.
    """

    def __init__(self, label: str, seed: int, haste: int) -> None:
        self.name = label
        self._luck = Random(f"{seed} {label}")
        self._haste = Random(f"{haste} {label}")
        self._fails = self._luck.random() < 0.3
        self._last: dict[str, float] = {}

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        for _ in range(self._haste.choice(_SPINS)):
            pass
        if self._fails and self._luck.random() < 0.3:
            raise RuntimeError(f"at {features.timestamp}")
        held = {} if portfolio is None else portfolio.positions
        for source, values in sorted(features.features.items()):
            known = [value for value in values.values() if not math.isnan(value)]
            symbol = source.partition("_")[0]
            if "|" not in source and source in features.bars and self._luck.random() < 0.7:
                close = features.bars[source].close  # type: ignore[index]  # a plain str will do
                drift = sum(known) - held.get(symbol, 0.0) + self._last.get(symbol, 0.0)
                self._last[symbol] = (close + drift) % 7 - 3
        return Decision(dict(self._last), f"on {0 if portfolio is None else portfolio.version}")
