"""From what a JSON feed says of a bar to a bar of ours, whichever way it was decoded."""

from collections.abc import Sequence
from typing import Any

from barsync_async.messages import Bar, flaw
from barsync_async.units import MAX_WALL_MS, WallMs
from barsync_async.venues.json_answers import alike, same
from barsync_async.venues.json_format import JsonFormat
from barsync_async.venues.json_names import Route
from barsync_async.venues.json_time import moment_of
from barsync_async.venues.outcomes import Running

Numbers = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""


class BarMaker:
    """Knows what the format says of times and flags."""

    def __init__(self, format_: JsonFormat) -> None:
        self.moment = moment_of(format_.time_unit)
        """From a decoded time to ms since the epoch; see :func:`moment_of`."""
        self._from_open = format_.time_label == "open"
        self._final = format_.final.equals if format_.final else None
        self._never_says = format_.finality == "later bar or clock"

    def bars(
        self, routes: Sequence[Route], moment: int, numbers: Numbers
    ) -> "Sequence[Bar | Running] | str":
        """One for each of ``routes``, or what is wrong with them."""
        found: list[Bar | Running] = []
        for symbol, timeframe, length_ms in routes:
            close: WallMs = moment + length_ms if self._from_open else moment  # type: ignore[assignment]
            bar = Bar(symbol, timeframe, close, *numbers)
            wrong = flaw(bar) if close <= MAX_WALL_MS else "it ends after the year 9999"
            if wrong is not None:
                return wrong
            found.append(Running(bar) if self._never_says else bar)
        return found

    def is_final(self, flag: Any) -> bool:
        """A flag of another type is no flag: better refused than taken for a running bar.

        Raises:
            TypeError: so it is.
        """
        if type(flag) is type(self._final):
            return bool(flag == self._final)
        if flag is not None and not alike(flag, self._final):
            raise TypeError("the final flag has another type")
        return same(flag, self._final)
