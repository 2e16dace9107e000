"""What is asked of a venue's REST endpoint, and what its answers can mean."""

from collections.abc import Mapping

import msgspec

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.outcomes import Rejection


class Span(msgspec.Struct, frozen=True):
    """The bars of ``source`` with ``after < timestamp <= until``."""

    source: SourceId
    after: WallMs
    until: WallMs


class HistoryRequest(msgspec.Struct, frozen=True):
    """One GET of ``url`` with ``params``; ``headers`` may hold a secret.

    ``span`` is what it asks for: all that is wanted, whichever page of it this is.
    """

    url: str
    params: Mapping[str, str]
    span: Span
    headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"HistoryRequest({self.url!r}, {dict(self.params)!r})"


class HistoryPage(msgspec.Struct, frozen=True):
    """Final bars within the span, oldest first, and the request for what is still missing."""

    items: tuple[Bar | Rejection, ...]
    following: HistoryRequest | None = None


class HistoryDelay(msgspec.Struct, frozen=True):
    """Ask again, after ``after_ms`` at the least: too many requests, or a venue out of order."""

    after_ms: int
    detail: str


class HistoryRefusal(msgspec.Struct, frozen=True):
    """Asking again cannot help: no such symbol, no permission, no bars of this kind."""

    detail: str


HistoryAnswer = HistoryPage | HistoryDelay | HistoryRefusal


class HistoryResponse(msgspec.Struct, frozen=True):
    """What came back; the names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
