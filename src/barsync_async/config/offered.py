"""What the components of one container offer to its strategies: sources, features and pairs."""

from collections.abc import Collection, Sequence

from barsync_async.config.tables import FeatureCalculatorConfig
from barsync_async.features import IndicatorSpec, Scope
from barsync_async.features.pairs import chosen_pairs, default_pairs, pair_name, pairs_with
from barsync_async.indicator_choice import is_own_indicator, output_names, parse_indicators
from barsync_async.strategies import Need
from barsync_async.units import SourceId


class Offered:
    """The sources that the synchronizers expect, and what a calculator makes of them.

    Args:
        sources: those sources.
        calculator: its table; None where it is not known which features there are. Nor is it
            where an indicator is of the user's own.
    """

    def __init__(
        self, sources: Collection[SourceId], calculator: FeatureCalculatorConfig | None
    ) -> None:
        self._sources = sorted(sources)
        self._specs: Sequence[IndicatorSpec] | None = None
        if calculator is not None and not any(map(is_own_indicator, calculator.indicators)):
            self._specs = parse_indicators(calculator.indicators)
            self._pairs = calculator.pairs

    def why_not(self, need: Need) -> str | None:
        """Why ``need`` is not met; None where it is, or where that cannot be known."""
        if need.kind == "source":
            is_there = need.name in self._sources
            known = " ".join(self._sources)
            return None if is_there else f"is not expected by the container; it has {known}"
        if self._specs is None:
            return None
        if need.kind == "pair":
            return self._why_not_compared(self._specs, need)
        names = _outputs(self._specs, "source" if need.kind == "feature" else "pair")
        if need.name in names:
            return None
        known = " ".join(sorted(names)) or "none"
        return f"no indicator of the container gives {need.name}; there are {known}"

    def _why_not_compared(self, specs: Sequence[IndicatorSpec], need: Need) -> str | None:
        for spec in specs:
            if spec.scope == "pair" and need.of in output_names(spec):
                try:
                    pairs = self._compared(spec)
                except ValueError:  # told where the calculator is made
                    return None
                if need.name not in map(pair_name, pairs):
                    return f"{need.of} has no such pair"
        return None

    def _compared(self, spec: IndicatorSpec) -> Collection[tuple[SourceId, SourceId]]:
        sources = [*map(SourceId, self._sources)]
        if spec.benchmark is not None:
            return pairs_with(spec.benchmark, sources)
        if self._pairs is None:
            return default_pairs(sources)
        return chosen_pairs(sources, [[SourceId(each) for each in pair] for pair in self._pairs])


def _outputs(specs: Sequence[IndicatorSpec], scope: Scope) -> set[str]:
    return {name for spec in specs if spec.scope == scope for name in output_names(spec)}
