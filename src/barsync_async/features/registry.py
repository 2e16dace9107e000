"""The indicators that come with barsync, by the names that a config knows them by."""

from collections.abc import Mapping

from barsync_async.features.atr import Atr
from barsync_async.features.bollinger import Bollinger
from barsync_async.features.co_movement import Beta, Correlation, Covariance
from barsync_async.features.cointegration import Cointegration
from barsync_async.features.ema import Ema
from barsync_async.features.indicator import IndicatorMaker
from barsync_async.features.macd import Macd
from barsync_async.features.relative_strength import RelativeStrength
from barsync_async.features.returns import Returns, Volatility
from barsync_async.features.rsi import Rsi
from barsync_async.features.sma import Sma
from barsync_async.features.spread import Spread
from barsync_async.features.vwap import SessionVwap, Vwap

INDICATORS: Mapping[str, IndicatorMaker] = {
    "sma": Sma,
    "ema": Ema,
    "rsi": Rsi,
    "macd": Macd,
    "bollinger": Bollinger,
    "atr": Atr,
    "vwap": Vwap,
    "session_vwap": SessionVwap,
    "returns": Returns,
    "volatility": Volatility,
    "correlation": Correlation,
    "covariance": Covariance,
    "beta": Beta,
    "spread": Spread,
    "relative_strength": RelativeStrength,
    "cointegration": Cointegration,
}
