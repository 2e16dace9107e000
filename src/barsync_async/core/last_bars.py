"""Each source's newest bar of those that later sets may carry or fill with."""

from collections.abc import Sequence

from barsync_async.messages import Bar


class LastBars:
    """``bars[i]`` is that of source ``i``, None before its first.

    The list may be a released slot's own cells, so it is never altered in place: a complete set,
    the usual case, costs one assignment.
    """

    def __init__(self, sources: int) -> None:
        self.bars: Sequence[Bar | None] = [None] * sources

    def take_over(self, cells: Sequence[Bar | None]) -> None:
        """The cells of the next set: every bar among them is newer than what stood here."""
        if None in cells:
            pairs = zip(cells, self.bars, strict=True)
            self.bars = [old if new is None else new for new, old in pairs]
        else:
            self.bars = cells

    def remember(self, index: int, bar: Bar) -> None:
        """A bar of source ``index`` by another way; an older one is forgotten at once."""
        last = self.bars[index]
        if last is None or (last is not bar and last.timestamp <= bar.timestamp):
            bars = [*self.bars]
            bars[index] = bar
            self.bars = bars
