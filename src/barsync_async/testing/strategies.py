"""What a strategy is asked about, out of nothing."""

from collections.abc import Mapping

from barsync_async.messages import Features, PortfolioUpdate, frozen_mapping
from barsync_async.testing.bars import create_bar
from barsync_async.units import SourceId, WallMs

_MINUTE = 60_000
_NOTHING: Mapping[str, float] = {}
_NO_VALUES: Mapping[str, Mapping[str, float]] = {}


def features_of(
    closes: Mapping[str, float],
    values: Mapping[str, Mapping[str, float]] = _NO_VALUES,
    *,
    timestamp: int = _MINUTE,
) -> Features:
    """A FEATURES event's payload: a fresh bar of each source in ``closes``, and ``values``.

    Args:
        closes: of each source, ``{"SPY_1m": 101.0}``.
        values: of each source, ``{"SPY_1m": {"sma": 100.0}}``, and of each cross-source
            indicator, ``{"correlation": {"QQQ_1m|SPY_1m": 0.9}}``.
        timestamp: of the set.
    """
    bars = {SourceId(key): create_bar(key, timestamp, close) for key, close in closes.items()}
    groups = {**dict.fromkeys(closes, _NOTHING), **values}
    return Features(
        timestamp=WallMs(timestamp),
        features=frozen_mapping({key: frozen_mapping(dict(each)) for key, each in groups.items()}),
        bars=frozen_mapping(bars),
    )


def portfolio_of(
    positions: Mapping[str, float] = _NOTHING,
    *,
    cash: float = 1_000_000.0,
    closes: Mapping[str, float] = _NOTHING,
    version: int = 1,
    timestamp: int = 0,
) -> PortfolioUpdate:
    """A version of the portfolio, as a strategy sees it.

    Args:
        positions: units by symbol, ``{"SPY": 10.0}``.
        cash: beside them.
        closes: what a unit of each symbol is worth; 0 where not given.
        version: its number.
        timestamp: of the set that it followed.
    """
    values = [units * closes.get(symbol, 0.0) for symbol, units in positions.items()]
    equity = cash + sum(values)
    return PortfolioUpdate(
        timestamp=WallMs(timestamp),
        version=version,
        depends_on_version=version - 1,
        positions=frozen_mapping(dict(positions)),
        cash=cash,
        equity=equity,
        peak=equity,
        gross_exposure=sum(map(abs, values)),
        net_exposure=sum(values),
        applied=(),
    )
