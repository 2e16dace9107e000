"""What stands in a cell whose source did not deliver.

A slower source that is not due is *carried*, always. A due source without its bar is treated by
the container's policy: ``skip`` leaves the cell empty, ``last_known`` fills it with the source's
last bar unless that is older than ``max_age_ms``.
"""

from typing import Literal

import msgspec

from barsync_async.messages import Bar, Provenance
from barsync_async.units import WallMs

MissingPolicy = Literal["skip", "last_known"]


def fill(
    policy: MissingPolicy, last: Bar | None, timestamp: WallMs, max_age_ms: int | None
) -> Bar | None:
    """The cell of a due source that is missing at ``timestamp``; None leaves it empty."""
    if policy == "skip" or last is None:
        return None
    if max_age_ms is not None and timestamp - last.timestamp > max_age_ms:
        return None
    return aged(last, timestamp, "filled")


def aged(bar: Bar, timestamp: WallMs, provenance: Provenance) -> Bar:
    """``bar`` as a cell of the later set ``timestamp``."""
    return msgspec.structs.replace(bar, provenance=provenance, age_ms=timestamp - bar.timestamp)
