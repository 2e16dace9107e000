"""What a recording holds, found in one pass: who connected when, how much came, how long."""

from collections.abc import Mapping

import msgspec

from barsync_async.shell.recordings.recording import (
    Attempt,
    Began,
    Ended,
    Got,
    Opened,
    Record,
    Refused,
    Sent,
    Stopped,
)

_DAY_NS = 86_400_000_000_000
_LONGEST_SILENCE_NS = 366 * _DAY_NS


class Survey(msgspec.Struct, frozen=True):
    """``attempts`` of each connection stand in the order of time; ``ends`` are those of openings,
    by number; ``span_ns`` reaches from the beginning to the last line, ``went_back`` says how many
    frames bear an earlier moment than one that came before them on the same connection.
    """

    began: Began
    attempts: Mapping[str, tuple[Attempt, ...]]
    ends: Mapping[int, Ended]
    frames: Mapping[int, int]
    span_ns: int
    went_back: int
    stopped: bool


class SurveyInProgress:
    """Takes the records one by one, and says what is wrong with one."""

    def __init__(self, began: Began) -> None:
        self._began = began
        self._attempts: dict[str, list[Attempt]] = {each.name: [] for each in began.connections}
        self._ends: dict[int, Ended] = {}
        self._frames: dict[int, int] = {}
        self._newest: dict[int, int] = {}
        self._newest_ns: int = began.mono_ns
        self._went_back = 0
        self._stopped = False

    def add(self, record: Record) -> str | None:
        """What is wrong with ``record``; None where nothing is."""
        if self._stopped:
            return "the recording ended before this line: one file holds one recording"
        if record.mono_ns - self._newest_ns > _LONGEST_SILENCE_NS:
            days = (record.mono_ns - self._newest_ns) // _DAY_NS
            return f"is {days} days later than anything before it"
        self._newest_ns = max(self._newest_ns, record.mono_ns)
        match record:
            case Began():
                return "a second recording begins here: one file holds one recording"
            case Opened() | Refused():
                return self._add_attempt(record)
            case Got() | Sent() | Ended():
                return self._add_to_opening(record)
            case Stopped():
                self._stopped = True
        return None

    def _add_attempt(self, record: Attempt) -> str | None:
        if record.connection not in self._attempts:
            return f"the first line has no connection {record.connection!r}"
        if isinstance(record, Opened):
            if record.number in self._frames:
                return f"opening {record.number} is there already"
            self._frames[record.number] = 0
        self._attempts[record.connection].append(record)
        return None

    def _add_to_opening(self, record: Got | Sent | Ended) -> str | None:
        number = record.number
        if number not in self._frames:
            return f"there is no opening {number}"
        if isinstance(record, Ended):
            if number in self._ends:
                return f"opening {number} ended already"
            self._ends[number] = record
            return None
        if number in self._ends and self._ends[number].by == "venue":
            return f"opening {number} ended before this line"
        if isinstance(record, Got):  # what is sent is stamped afterwards, and not in one order
            newest = self._newest.get(number, 0)
            self._went_back += record.mono_ns < newest
            self._newest[number] = max(newest, record.mono_ns)
            self._frames[number] += 1
        return None

    def done(self) -> Survey:
        """All that was found."""
        return Survey(
            self._began,
            {
                name: tuple(sorted(attempts, key=lambda each: each.mono_ns))
                for name, attempts in self._attempts.items()
            },
            self._ends,
            self._frames,
            self._newest_ns - self._began.mono_ns,
            self._went_back,
            self._stopped,
        )
