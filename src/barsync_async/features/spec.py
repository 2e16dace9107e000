"""A description of one indicator, apart from the running one that it makes."""

import msgspec

from barsync_async.features.indicator import IndicatorMaker, Scope
from barsync_async.units import SourceId


class IndicatorSpec(msgspec.Struct, frozen=True):
    """What a :class:`~barsync_async.features.FeatureEngine` runs.

    Args:
        label: the name of its values in FEATURES, or what they begin with.
        make: ``make(columns)`` or ``make(pairs)`` gives a new one, by ``scope``.
        scope: whether it looks at each source by itself, or at pairs.
        benchmark: the source with which to compare all others of its timeframe, in place of the
            engine's pairs.
    """

    label: str
    make: IndicatorMaker
    scope: Scope
    benchmark: SourceId | None = None
