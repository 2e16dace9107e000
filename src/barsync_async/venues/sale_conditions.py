"""What the sale conditions of a US stock's trade let it alter of a short bar.

A trade may have several; the strictest rule for each part of the bar holds. The tables hold what is
restricted: any other condition, a new one too, restricts nothing.

Sources:

- By the letters of the tapes: the rules of the minute bars that Alpaca documents ("How are bars
  aggregated?" in its Market Data FAQ), after the specifications of CTS, UTP and TDDS.
- By Polygon's numbers: ``update_rules.consolidated`` of its conditions
  (``/v3/reference/conditions``) and, for Form T, "Does a Form T trade update a pre-market minute
  bar's high, low, open and close?" in its knowledge base: before and after the regular hours it
  does, in them it does not.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from zoneinfo import ZoneInfo

from barsync_async.messages import Alters
from barsync_async.units import MAX_WALL_MS, WallMs

ALL = Alters()
HIGH_LOW_AND_VOLUME = Alters(open_close=False)
VOLUME = Alters(open_close=False, high_low=False)
PRICES = Alters(volume=False)
NOTHING = Alters(open_close=False, high_low=False, volume=False)

_COMMON = dict.fromkeys("CINPRU", VOLUME)
_LISTED = _COMMON | dict.fromkeys("HVZ47", VOLUME) | dict.fromkeys("MQ9", NOTHING)

CTA: Mapping[str, Alters] = _LISTED | {"B": VOLUME}  # average price
UTP: Mapping[str, Alters] = _LISTED | {"G": VOLUME, "W": VOLUME}  # here B is a bunched trade
OTC: Mapping[str, Alters] = _COMMON | {"W": VOLUME}
_TAPES = {"A": CTA, "B": CTA, "C": UTP, "O": OTC}

_FORM_T = 12
POLYGON: Mapping[int, Alters] = {
    **dict.fromkeys((2, 7, _FORM_T, 13, 20, 21, 29, 37, 52, 53), VOLUME),
    **dict.fromkeys((5, 10, 22, 32, 33), HIGH_LOW_AND_VOLUME),
    **dict.fromkeys((15, 16), NOTHING),
    38: PRICES,
}

_NEW_YORK = ZoneInfo("America/New_York")
_OPENS, _CLOSES = time(9, 30), time(16)


def altered_by_letters(letters: Sequence[str], tape: str) -> Alters:
    """What a trade with these conditions on ``tape`` (``A``, ``B``, ``C``, ``O``) may alter. An
    unknown tape is read as Nasdaq's.
    """
    table = _TAPES.get(tape, UTP)
    return _strictest(table[each] for each in letters if each in table)


def altered_by_numbers(numbers: Sequence[int], at_ms: WallMs) -> Alters:
    """What a trade at ``at_ms`` with these conditions of Polygon's may alter.

    Form T keeps a price out between 9:30 and 16:00 in New York, on days that close early too.
    """
    allowed = {_FORM_T} if _FORM_T in numbers and not _is_regular(at_ms) else set()
    return _strictest(POLYGON[each] for each in numbers if each in POLYGON and each not in allowed)


def _strictest(rules: Iterable[Alters]) -> Alters:
    strictest = ALL
    for rule in rules:
        strictest = Alters(
            open_close=strictest.open_close and rule.open_close,
            high_low=strictest.high_low and rule.high_low,
            volume=strictest.volume and rule.volume,
        )
    return strictest


def _is_regular(at_ms: WallMs) -> bool:
    moment = datetime.fromtimestamp(min(at_ms, MAX_WALL_MS - 1) / 1_000, _NEW_YORK)
    return _OPENS <= moment.time() < _CLOSES
