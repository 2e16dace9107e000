"""What an aggregator can say."""

from typing import Literal

import msgspec

from barsync_async.messages import Bar
from barsync_async.units import WallMs

GivenUpReason = Literal["incomplete", "crowded"]
RefusalReason = Literal["future", "invalid", "off_grid", "too_old"]


class GivenUp(msgspec.Struct, frozen=True):
    """The window that ends at ``timestamp`` has no exact bar, for something of it may be unknown.

    ``incomplete``: the connection was not up, unbroken, since before it began. ``crowded``: it
    was the oldest of too many open windows.
    """

    timestamp: WallMs
    reason: GivenUpReason


class Refused(msgspec.Struct, frozen=True):
    """A bar or trade of ``timestamp`` that was not taken in.

    ``future``: more than a minute after now. ``invalid``: impossible as a record of trades.
    ``off_grid``: a bar that ends where none of its timeframe does. ``too_old``: its window is
    forgotten.
    """

    timestamp: WallMs
    reason: RefusalReason


Outcome = Bar | GivenUp | Refused
