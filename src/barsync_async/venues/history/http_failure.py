"""What an HTTP status means for a question that can be asked again."""

from http import HTTPStatus

from barsync_async.messages import EXCERPT_BYTES, excerpt
from barsync_async.venues.history.exchange import HistoryDelay, HistoryRefusal, HistoryResponse

_ASK_AGAIN_MS = 5_000
_LONGEST_S = 3_600
_PASSING = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.IM_A_TEAPOT, HTTPStatus.TOO_MANY_REQUESTS}
)


def http_failure(response: HistoryResponse) -> HistoryDelay | HistoryRefusal | None:
    """None where the status is 200. ``Retry-After`` is honoured where it is a number of seconds,
    up to an hour; as a date it would take a clock.
    """
    status = response.status
    if status == HTTPStatus.OK:
        return None
    detail = f"HTTP {status}: {excerpt(response.body)}"[:EXCERPT_BYTES]
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HistoryDelay(_wait_ms(response), detail)
    return HistoryRefusal(detail)


def disorder(detail: str) -> HistoryDelay:
    """The venue answered with what it never should."""
    return HistoryDelay(_ASK_AGAIN_MS, detail[:EXCERPT_BYTES])


def _wait_ms(response: HistoryResponse) -> int:
    text = response.headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < len("1000000")):
        return _ASK_AGAIN_MS
    return min(int(text), _LONGEST_S) * 1_000
