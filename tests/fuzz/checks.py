"""What holds for whatever comes in, and what an input may cost."""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from barsync_async.messages import EXCERPT_BYTES, Alters, Bar, Trade, flaw
from barsync_async.units import TRADES, SourceId
from barsync_async.venues.history.exchange import (
    HistoryDelay,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
)
from barsync_async.venues.outcomes import (
    Acknowledged,
    GoingAway,
    Refusal,
    Rejection,
    Reply,
    Running,
    Traded,
)

MOST_NS = 50_000_000
MOST_BYTES = 10_000_000
_AGAIN = 3


class Broken(Exception):
    """A promise was broken; the text says which, without the input."""


def check_received(items: Any, sources: frozenset[SourceId]) -> None:
    """``items`` came of one frame. Raises Broken."""
    if not isinstance(items, Sequence) or isinstance(items, str):
        raise Broken(f"not a sequence of outcomes: {type(items).__name__}")
    for item in items:
        _check_item(item, sources)


def _check_item(item: Any, sources: frozenset[SourceId]) -> None:
    match item:
        case Bar():
            _check_bar(item, sources)
        case Running(bar):
            _check_bar(bar, sources)
        case Traded(symbol, Trade() as trade):
            _check_sources((SourceId(f"{symbol}_{TRADES}"),), sources)
            _check_trade(trade)
        case Rejection(reason, detail):
            _check_text(item, reason, detail)
        case Refusal(refused, detail):
            _check_text(item, detail)
            _check_sources(refused, sources)
        case Acknowledged(confirmed):
            _check_sources(confirmed, sources)
        case GoingAway(detail):
            _check_text(item, detail)
        case Reply(text):
            if not isinstance(text, str):
                raise Broken("a reply that is no text")
        case _:
            raise Broken(f"no outcome: {type(item).__name__}")


def _check_bar(bar: Any, sources: frozenset[SourceId]) -> None:
    if type(bar) is not Bar or type(bar.timestamp) is not int:
        raise Broken("no bar")
    wrong = flaw(bar)
    if wrong is not None:
        raise Broken("a bar that cannot be")
    if bar.source not in sources:
        raise Broken("a bar that nobody asked for")


def _check_trade(trade: Any) -> None:
    kinds = (type(trade.price), type(trade.size), type(trade.at_ms), type(trade.number))
    if kinds != (float, float, int, int) or type(trade.alters) is not Alters:
        raise Broken("no trade")
    if not isinstance(trade.id, int | str | None):
        raise Broken("a trade with an id that is neither a number nor a name")


def _check_sources(found: Any, sources: frozenset[SourceId]) -> None:
    if type(found) is not tuple or not sources.issuperset(found):
        raise Broken("sources that nobody asked for")


def _check_text(of: object, *texts: Any) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise Broken(f"a {type(of).__name__} whose detail is no text")
        if len(text) > EXCERPT_BYTES:
            raise Broken(f"a {type(of).__name__} with a detail of over {EXCERPT_BYTES} characters")


def check_answer(answer: Any, request: HistoryRequest) -> None:
    """``answer`` is what a history made of a response to ``request``. Raises Broken."""
    match answer:
        case HistoryPage(items, following):
            _check_page(items, request)
            if following is not None and following == request:
                raise Broken("the next page is the same page")
        case HistoryDelay(after_ms, detail):
            _check_text(answer, detail)
            if type(after_ms) is not int or after_ms < 0:
                raise Broken("a delay that is no time")
        case HistoryRefusal(detail):
            _check_text(answer, detail)
        case _:
            raise Broken(f"no answer: {type(answer).__name__}")


def _check_page(items: Any, request: HistoryRequest) -> None:
    span = request.span
    for item in items:
        _check_item(item, frozenset({span.source}))
        if not isinstance(item, Bar | Rejection):
            raise Broken(f"in a page: {type(item).__name__}")
        if isinstance(item, Bar) and not span.after < item.timestamp <= span.until:
            raise Broken("a bar outside the span")


def cpu_ns(work: Callable[[], object]) -> int:
    """Of this process, whatever others do meanwhile."""
    began = time.process_time_ns()
    work()
    return time.process_time_ns() - began


def check_time(spent_ns: int, again: Callable[[], object]) -> None:
    """Raise Broken where ``spent_ns`` is too much, and no less in any of a few more trials."""
    if spent_ns > MOST_NS:
        least = min(spent_ns, *(cpu_ns(again) for _ in range(_AGAIN)))
        if least > MOST_NS:
            raise Broken(f"more than {MOST_NS // 1_000_000} ms of processor time")


def check_memory(work: Callable[[], object]) -> None:
    """Raise Broken where ``work`` takes too much."""
    if peak_bytes(work) > MOST_BYTES and peak_bytes(work) > MOST_BYTES:
        raise Broken(f"more than {MOST_BYTES // 1_000_000} MB of memory")


def peak_bytes(work: Callable[[], object]) -> int:
    """At the worst moment, above what there was before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
