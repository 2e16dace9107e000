"""Every exception that barsync raises on purpose.

::

    BarsyncError
    ├── ConfigError            one or more mistakes in a config or scenario file, all of them
    ├── ItemsRefused           some of a list in a config cannot be made; a ValueError, too
    ├── ComponentError         a container was put together wrongly
    ├── FeedError              a feed cannot go on as configured
    │   ├── ConnectionRefused  the venue could not be reached, or cut the connection
    │   └── SubscriptionRefused  the venue said no, and says it will say no again
    ├── HistoryError           a file of past bars cannot be read
    ├── RecordingError         a recording cannot be read
    ├── OutputError            a file, page or address could not be written to or served
    │   └── OutputStuck        its target took nothing while everything stopped
    ├── IndicatorFailed        an indicator raised, or gave what is no values
    ├── ConservationBroken     the portfolio's books do not balance
    └── Overflow               a subscriber with overflow policy ``disconnect`` fell behind

A late, duplicate, malformed or unknown bar is an outcome, never an exception.
"""

from collections.abc import Mapping, Sequence

import msgspec

from barsync_async.units import counted


class BarsyncError(Exception):
    """The root: catch this to catch all that barsync raises on purpose."""


class Mistake(msgspec.Struct, frozen=True):
    """One mistake in a file: where it stands, what stands there, what was expected."""

    path: str
    value: str
    expected: str

    def __str__(self) -> str:
        shown = f" = {self.value}" if self.value else ""
        return f"{self.path}{shown}: {self.expected}"


class ConfigError(BarsyncError):
    """A file cannot be used; carries every mistake found in it, not only the first."""

    def __init__(self, origin: str, mistakes: Sequence[Mistake]) -> None:
        super().__init__(origin, mistakes)
        self.origin = origin
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        head = f"{self.origin}: {counted(len(self.mistakes), 'mistake')}"
        return "\n".join([head, *(f"  {mistake}" for mistake in self.mistakes)])


class ItemsRefused(BarsyncError, ValueError):
    """Some items of the list ``key`` cannot be made; carries why, for each by its index."""

    def __init__(self, key: str, reasons: Mapping[int, Exception]) -> None:
        super().__init__(key, reasons)
        self.key = key
        self.reasons = dict(sorted(reasons.items()))

    def __str__(self) -> str:
        return "; ".join(f"{self.key}[{index}]: {why}" for index, why in self.reasons.items())


class ComponentError(BarsyncError):
    """A container or one of its components is used in a way that cannot work."""


class FeedError(BarsyncError):
    """A feed cannot go on; ``feed`` is its name in the config."""

    def __init__(self, feed: str, detail: str) -> None:
        super().__init__(feed, detail)
        self.feed = feed
        self.detail = detail

    def __str__(self) -> str:
        return f"feed {self.feed}: {self.detail}"


class ConnectionRefused(FeedError):
    """The venue could not be reached or ended the connection; trying again may help."""


class SubscriptionRefused(FeedError):
    """The venue refused a subscription for good; trying again does not help."""


class HistoryError(BarsyncError):
    """A file of past bars cannot be used at all; ``path`` names it."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        return f"history {self.path}: {self.detail}"


class RecordingError(BarsyncError):
    """A file that should hold a recording cannot be used; ``path`` names it."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        return f"recording {self.path}: {self.detail}"


class OutputError(BarsyncError):
    """Something could not be opened, written or listened on; ``target`` is the file or address."""

    def __init__(self, target: str, detail: str) -> None:
        super().__init__(target, detail)
        self.target = target
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.target}: {self.detail}"


class OutputStuck(OutputError):
    """At a stop, an output's target took nothing for so long that it was given up; its thread may
    never return. ``target`` names the output.
    """

    def __init__(self, target: str, patience_s: float, lost: int, *, is_cut_off: bool) -> None:
        more = ", besides all after it was cut off" if is_cut_off else ""
        told = f"{counted(lost, 'event')} may be lost{more}"
        super().__init__(target, f"took nothing for {patience_s:g} s and was given up: {told}")
        self.lost = lost
        self.is_cut_off = is_cut_off

    def __str__(self) -> str:
        return f"output {super().__str__()}"


class IndicatorFailed(BarsyncError):
    """An indicator raised in ``update``, or gave what is no values; ``indicator`` is its name."""

    def __init__(self, indicator: str, detail: str) -> None:
        super().__init__(indicator, detail)
        self.indicator = indicator
        self.detail = detail

    def __str__(self) -> str:
        return f"indicator {self.indicator}: {self.detail}"


class ConservationBroken(BarsyncError):
    """The portfolio's equity would be ``found``, where the last one, the moves of prices and the
    costs make it ``expected``: a defect, not a market.
    """

    def __init__(self, expected: float, found: float) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return (
            f"equity would be {self.found!r}, where the last one, the moves of prices and the "
            f"costs make it {self.expected!r}"
        )


class Overflow(BarsyncError):
    """A subscription with policy ``disconnect`` was closed because its queue was full."""

    def __init__(self, subscriber: str, capacity: int) -> None:
        super().__init__(subscriber, capacity)
        self.subscriber = subscriber
        self.capacity = capacity

    def __str__(self) -> str:
        return f"subscriber {self.subscriber} fell {self.capacity} events behind and was cut off"
