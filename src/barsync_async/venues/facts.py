"""What a person, or ``barsync venues``, should know of a venue before choosing it."""

from typing import Literal

import msgspec

Finality = Literal["flag", "sent once", "later bar or clock"]
"""How a bar is known to be final: the venue says so; it is sent only when it is; or neither, and
barsync waits for a later one or for the clock.
"""


class VenueFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's figures, each from its documentation.

    Args:
        title: its name, for people.
        timeframes: of the bars that it streams.
        finality: see :data:`Finality`.
        revisions: whether, and how, it sends a bar again with other values.
        silence: what a minute without a trade looks like.
        max_sources: how many one connection may carry.
        one_timeframe: whether all of them must be of one timeframe.
        trades: whether it streams trades that bars can be made of.
        limits: its rates, in words.
        lifetime_s: after how long it cuts every connection; None where it does not say.
        credentials: which it needs, of ``key`` and ``secret``.
    """

    title: str
    timeframes: tuple[str, ...]
    finality: Finality
    revisions: str
    silence: Literal["empty bar", "no bar"]
    max_sources: int
    one_timeframe: bool = False
    trades: bool = False
    limits: str
    lifetime_s: int | None = None
    credentials: tuple[str, ...] = ()
