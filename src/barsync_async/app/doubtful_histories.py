"""Histories that can be read and may still not be what was meant."""

from collections.abc import Iterator, Mapping, Sequence

import structlog

from barsync_async.app.progress import shown_minute
from barsync_async.shell.feeds.file_feed import BarHistory
from barsync_async.units import TIMEFRAMES, split_source

_FEWEST = 10  # bars, of which some would follow one another

log = structlog.get_logger("barsync.files")


def warn_of_doubtful(histories: Mapping[str, Sequence[BarHistory]]) -> None:
    """Say which have bars of another timeframe, it seems, and that two have no time in common."""
    every = [each for some in histories.values() for each in some if each.survey.bars]
    for source, apart in _too_far_apart(every):
        log.warning("no two bars are as near as their timeframe", source=source, nearest=apart)
    if not every:
        return
    latest = max(every, key=lambda each: each.survey.first or 0)
    earliest = min(every, key=lambda each: each.survey.last or 0)
    if (latest.survey.first or 0) > (earliest.survey.last or 0):
        log.warning(
            "histories have no time in common",
            ends={earliest.source: f"{shown_minute(earliest.survey.last or 0)}Z"},
            begins={latest.source: f"{shown_minute(latest.survey.first or 0)}Z"},
        )


def _too_far_apart(histories: Sequence[BarHistory]) -> Iterator[tuple[str, str]]:
    for each in histories:
        length_ms = TIMEFRAMES[split_source(each.source)[1]].length_ms
        closest_ms = each.survey.closest_ms
        if each.survey.bars >= _FEWEST and closest_ms is not None and closest_ms > length_ms:
            yield each.source, f"{closest_ms / 60_000:g} min"
