"""What a strategy reads, so that it can be held against what there is."""

from typing import Literal

import msgspec


class Need(msgspec.Struct, frozen=True):
    """One thing that a strategy reads in every FEATURES event.

    Args:
        kind: a source; a feature by source; one across sources; or a pair in the last of these.
        name: what it is called in the event.
        parameter: the strategy's parameter that says so.
        given: that parameter's part of it.
        of: the feature across sources in which a pair should be.
    """

    kind: Literal["source", "feature", "across", "pair"]
    name: str
    parameter: str
    given: str
    of: str = ""
