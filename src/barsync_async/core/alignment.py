"""Which sources are due at which timestamp.

The grid of a container is that of its shortest timeframe. A source is *due* at T when one of its
bars closes at T and its market is open; all others are carried.
"""

from array import array
from collections.abc import Iterable, Mapping

from barsync_async.core.calendar import Calendar
from barsync_async.units import TIMEFRAMES, SourceId, Timeframe, WallMs, split_source

_DAY_MS = TIMEFRAMES["1d"].length_ms


class Due:
    """Who is due at some timestamps: ``flags[i]`` is 1 for source ``i``, ``count`` their number,
    ``none`` as many zeros, ``no_arrivals`` too, as moments. ``is_everyone``: all are.
    """

    __slots__ = ("count", "flags", "is_everyone", "no_arrivals", "none")

    def __init__(self, flags: bytes) -> None:
        self.flags = flags
        self.none = bytes(len(flags))
        self.no_arrivals = array("q", bytes(8 * len(flags)))
        self.count = flags.count(1)
        self.is_everyone = self.count == len(flags)


class _Group:
    """The sources that close together: of one timeframe and one calendar."""

    def __init__(self, timeframe: Timeframe, calendar: Calendar | None) -> None:
        self.timeframe = timeframe
        self.calendar = calendar
        self.members: list[int] = []
        self.by_session = calendar is not None and timeframe.length_ms >= _DAY_MS

    def closes_at(self, timestamp: int) -> bool:
        if self.calendar is None:
            return self.timeframe.closes_at(timestamp)
        return self.calendar.closes_at(self.timeframe, timestamp)

    def next_close(self, after: int) -> WallMs | None:
        if self.calendar is None:
            return self.timeframe.next_close(after)
        return self.calendar.next_close(self.timeframe, after)

    def is_on_grid(self, timestamp: int) -> bool:
        """Whether a bar may carry ``timestamp`` at all, in or out of a session."""
        if self.by_session:
            return self.closes_at(timestamp)
        return self.timeframe.closes_at(timestamp)


class Alignment:
    """The expected sources, indexed in sorted order, and when each closes.

    ``slow[i]`` says that source ``i`` has a timeframe longer than the base timeframe.
    """

    def __init__(
        self,
        sources: Iterable[SourceId],
        calendars: Mapping[SourceId, Calendar | None] | None = None,
    ) -> None:
        self.sources = tuple(sorted(set(sources)))
        if not self.sources:
            raise ValueError("expected_sources is empty: name at least one source, e.g. SPY_1m")
        keys = [split_source(source) for source in self.sources]
        self.timeframes = tuple(TIMEFRAMES[name] for _, name in keys)
        self.base = min(self.timeframes, key=lambda timeframe: timeframe.length_ms)
        self.slow = tuple(each is not self.base for each in self.timeframes)
        self.index_by_symbol = _nested(keys)
        self._group_of: list[_Group] = []
        self._groups = self._make_groups(calendars or {})
        self._patterns: dict[tuple[bool, ...], Due] = {}
        self._always = self._single_pattern()

    def _make_groups(self, calendars: Mapping[SourceId, Calendar | None]) -> list[_Group]:
        groups: dict[tuple[str, int], _Group] = {}
        for index, (source, timeframe) in enumerate(
            zip(self.sources, self.timeframes, strict=True)
        ):
            calendar = calendars.get(source)
            group = groups.setdefault((timeframe.name, id(calendar)), _Group(timeframe, calendar))
            group.members.append(index)
            self._group_of.append(group)
        return list(groups.values())

    def _single_pattern(self) -> Due | None:
        """Where all sources close together and always, who is due is always the same."""
        plain = len(self._groups) == 1 and self._groups[0].calendar is None
        return Due(bytes([1] * len(self.sources))) if plain else None

    def index(self, symbol: str, timeframe: str) -> int | None:
        """The place of a source; None if it is not expected."""
        return self.index_by_symbol.get(timeframe, {}).get(symbol)

    def due(self, timestamp: int) -> Due:
        """Who is due at ``timestamp``. Off the container's grid, where only the program itself
        publishes, all base sources are.
        """
        if self._always is not None:
            return self._always
        if not self.is_on_base_grid(timestamp):
            key = tuple(group.timeframe is self.base for group in self._groups)
        else:
            key = tuple([group.closes_at(timestamp) for group in self._groups])
        pattern = self._patterns.get(key)
        if pattern is None:
            pattern = self._patterns[key] = self._pattern(key)
        return pattern

    def _pattern(self, key: tuple[bool, ...]) -> Due:
        flags = bytearray(len(self.sources))
        for closes, group in zip(key, self._groups, strict=True):
            for index in group.members if closes else ():
                flags[index] = 1
        return Due(bytes(flags))

    def is_on_base_grid(self, timestamp: int) -> bool:
        """Whether ``timestamp`` is on the container's grid."""
        return self.base.closes_at(timestamp) or any(
            group.by_session and group.closes_at(timestamp)
            for group in self._groups
            if group.timeframe is self.base
        )

    def is_on_grid(self, index: int, timestamp: int) -> bool:
        """Whether a bar of source ``index`` can close at ``timestamp``."""
        return self._group_of[index].is_on_grid(timestamp)

    def next_slot(self, after: int) -> WallMs | None:
        """The first timestamp later than ``after`` at which a source is due; None where no
        calendar knows one.
        """
        while True:
            closes = [group.next_close(after) for group in self._groups]
            known = [close for close in closes if close is not None]
            if not known:
                return None
            after = min(known)
            if self.is_on_base_grid(after):
                return WallMs(after)


def _nested(keys: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Timeframe to symbol to index: two look-ups and no tuple for each bar."""
    nested: dict[str, dict[str, int]] = {}
    for index, (symbol, timeframe) in enumerate(keys):
        nested.setdefault(timeframe, {})[symbol] = index
    return nested
