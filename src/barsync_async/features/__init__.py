"""Columnar incremental indicators, pure: synchronized sets in, features out."""

from barsync_async.features.columns import BoolArray, Columns, FloatArray, IndexArray
from barsync_async.features.engine import FeatureEngine
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.fresh_pairs import FreshPairs, PairColumns
from barsync_async.features.indicator import PairIndicator, Scope, SourceIndicator
from barsync_async.features.registry import INDICATORS
from barsync_async.features.spec import IndicatorSpec

__all__ = [
    "INDICATORS",
    "BoolArray",
    "Columns",
    "FeatureEngine",
    "FloatArray",
    "FreshBars",
    "FreshPairs",
    "IndexArray",
    "IndicatorSpec",
    "PairColumns",
    "PairIndicator",
    "Scope",
    "SourceIndicator",
]
