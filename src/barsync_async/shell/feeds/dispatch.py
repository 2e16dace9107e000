"""Where everything goes that a feed has to tell: numbered, and to the producer that it is for."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import structlog

from barsync_async.messages import Bar
from barsync_async.ports import Arrival, CaughtUp, ConnectionChange, SourcesRefused
from barsync_async.shell.feeds.producer import Producer, trace
from barsync_async.shell.intake import Inbox, put_in_each
from barsync_async.units import TRADES, Instant, SourceId, is_trades, split_stream
from barsync_async.venues.outcomes import Received, Rejection, Running, Traded

NOTHING_DERIVED: Mapping[SourceId, SourceId] = MappingProxyType({})

log = structlog.get_logger("barsync.feed")


class SortedOut:
    """What was read together, by where it goes; so each is told once."""

    __slots__ = ("straight", "to_producers")

    def __init__(self) -> None:
        self.straight: dict[tuple[Inbox[Arrival], ...], list[Arrival]] = {}
        """Bars whose producers would do no more than pass them on."""
        self.to_producers: dict[Producer, list[Arrival]] = {}


class Dispatch:
    """One feed's.

    Args:
        feed: its name.
        producers: the next stop of each source's bars.
        events: the next stop of what is no bar: rejections, and changes of the connection.
        derived: which source is made of which of the others.
    """

    def __init__(
        self,
        feed: str,
        producers: Mapping[SourceId, Producer],
        events: Producer,
        derived: Mapping[SourceId, SourceId] = NOTHING_DERIVED,
    ) -> None:
        self._feed = feed
        self._producers = producers
        self._derived = derived
        self._routes = {split_stream(source): each for source, each in producers.items()}
        self._events = events
        self._order = 0
        self._log = log.bind(feed=feed)

    def sort(self, item: Received | SourcesRefused, at: Instant, sorted_out: SortedOut) -> bool:
        """Number ``item``, read ``at`` this moment, and put it to what goes to the same place;
        False where it is for none.
        """
        producer = self._producer_of(item)
        if producer is None:
            return False
        self._order += 1
        arrival = Arrival(at, self._feed, self._order, item)  # type: ignore[arg-type]
        if producer.is_idle and type(item) is Bar:
            sorted_out.straight.setdefault(producer.inboxes, []).append(arrival)
            producer.note(item, at)
        else:
            sorted_out.to_producers.setdefault(producer, []).append(arrival)
        return True

    def _producer_of(self, item: object) -> Producer | None:
        if type(item) is Bar:
            return self._routes[item.symbol, item.timeframe]
        if type(item) is Running:
            return self._routes[item.bar.symbol, item.bar.timeframe]
        if type(item) is Traded:
            return self._routes[item.symbol, TRADES]
        if type(item) is Rejection:
            self._log.warning("rejected", reason=item.reason, detail=item.detail)
            return self._events
        return self._events if isinstance(item, SourcesRefused) else None

    async def offer(self, sorted_out: SortedOut) -> Sequence[Arrival]:
        """Hand all of it over; waits where a producer is full. Gives what was no bar."""
        for inboxes, arrivals in sorted_out.straight.items():
            if put_in_each(inboxes, arrivals):
                trace(arrivals, self._log)
            else:
                self._let_producers_wait(arrivals, sorted_out)
        for producer, arrivals in sorted_out.to_producers.items():
            await producer.offer(arrivals)
        return sorted_out.to_producers.get(self._events, ())

    def _let_producers_wait(self, arrivals: Sequence[Arrival], sorted_out: SortedOut) -> None:
        for arrival in arrivals:
            producer = self._producer_of(arrival.item)
            assert producer is not None  # noqa: S101 - a bar's
            sorted_out.to_producers.setdefault(producer, []).append(arrival)

    def without(self, refused: Sequence[SourceId]) -> SourcesRefused:
        """Of which sources no bars come any more: a stream of trades has none, what is made of it
        has.
        """
        made = [source for source, part in self._derived.items() if part in refused]
        return SourcesRefused((*(each for each in refused if not is_trades(each)), *made))

    async def hand_on(self, items: Sequence[Bar | Rejection], at: Instant) -> None:
        """Bars and rejections that arrived ``at`` this moment."""
        sorted_out = SortedOut()
        for item in items:
            self.sort(item, at, sorted_out)
        await self.offer(sorted_out)

    async def tell(self, item: ConnectionChange | CaughtUp, at: Instant) -> None:
        """The connection changed."""
        self._order += 1
        await self._events.offer([Arrival(at, self._feed, self._order, item)])

    async def tell_sources(self, change: ConnectionChange, at: Instant) -> None:
        """The same to those sources that want to know."""
        wanting = [each for each in self._producers.values() if each.wants_changes]
        self._order += bool(wanting)
        for producer in wanting:
            await producer.offer([Arrival(at, self._feed, self._order, change)])
