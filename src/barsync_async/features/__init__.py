"""Columnar incremental indicators, pure: synchronized sets in, features out."""

from barsync_async.features.engine import FeatureEngine
from barsync_async.features.spec import IndicatorSpec, parse_indicators

__all__ = ["FeatureEngine", "IndicatorSpec", "parse_indicators"]
