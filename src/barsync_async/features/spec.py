"""Which indicator, with which window, under which name: what a config says about features."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from barsync_async.features.correlation import Correlation
from barsync_async.features.rsi import Rsi
from barsync_async.features.sma import Sma
from barsync_async.features.spread import Spread

SourceIndicator = Sma | Rsi
PairIndicator = Correlation | Spread

SOURCE_INDICATORS: Mapping[str, type[SourceIndicator]] = {"sma": Sma, "rsi": Rsi}
PAIR_INDICATORS: Mapping[str, type[PairIndicator]] = {"correlation": Correlation, "spread": Spread}

MAX_WINDOW = 10_000

_KEYS = ("name", "window", "label")


class IndicatorSpec(msgspec.Struct, frozen=True):
    """A description of one indicator; :class:`~barsync_async.features.FeatureEngine` runs it.

    Args:
        name: ``sma``, ``rsi``, ``correlation`` or ``spread``.
        window: its length in bars of each source, or in joint sets of each pair; None: the
            indicator's default (20, for ``rsi`` 14).
        label: the name of its values in FEATURES; None: ``name`` with the default window, else
            ``NAME_WINDOW``, e.g. ``sma_50``.

    Raises:
        ValueError: a parameter is none of these; the message names it and what was expected.
    """

    name: str
    window: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.window is not None:
            _check_window(self.name, self.window, self._kind.minimum_window)
        if self.label is not None:
            _check_label(self.name, self.label)

    @property
    def _kind(self) -> type[SourceIndicator] | type[PairIndicator]:
        return SOURCE_INDICATORS.get(self.name) or PAIR_INDICATORS[self.name]

    @property
    def length(self) -> int:
        """The window, or the indicator's default."""
        return self._kind.default_window if self.window is None else self.window

    @property
    def key(self) -> str:
        """The label, or what stands for it."""
        if self.label is not None:
            return self.label
        is_default = self.length == self._kind.default_window
        return self.name if is_default else f"{self.name}_{self.length}"


def _check_name(name: object) -> None:
    known = [*SOURCE_INDICATORS, *PAIR_INDICATORS]
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"indicator {name!r} is unknown: expected one of {' '.join(known)}")


def _check_window(name: str, window: object, minimum: int) -> None:
    is_whole = isinstance(window, int) and not isinstance(window, bool)
    if not is_whole or not minimum <= window <= MAX_WINDOW:  # type: ignore[operator]
        raise ValueError(
            f"{name}: window = {window!r}: expected a whole number from {minimum} to {MAX_WINDOW}"
        )


def _check_label(name: str, label: object) -> None:
    if not isinstance(label, str) or not label:
        raise ValueError(f"{name}: label = {label!r}: expected a name")


def parse_indicators(choices: Iterable[str | Mapping[str, Any]]) -> tuple[IndicatorSpec, ...]:
    """What a config's ``indicators`` key says.

    Args:
        choices: names, or ``{"name": ..., "window": ..., "label": ...}`` with the last two
            optional.

    Raises:
        ValueError: a name, key or value is none of these; the message says which and what was
            expected.
    """
    return tuple([_parse(choice) for choice in choices])


def _parse(choice: object) -> IndicatorSpec:
    if isinstance(choice, str):
        return IndicatorSpec(choice)
    if not isinstance(choice, Mapping) or "name" not in choice:
        raise ValueError(f"indicator {choice!r}: expected a name, or a table with the key name")
    unknown = [key for key in choice if key not in _KEYS]
    if unknown:
        raise ValueError(
            f"{choice['name']}: {unknown[0]!r} is no parameter: expected {' '.join(_KEYS)}"
        )
    return IndicatorSpec(**choice)
