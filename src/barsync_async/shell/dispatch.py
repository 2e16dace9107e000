"""Where everything goes that a feed has to tell: numbered, and to the producer that it is for."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import structlog

from barsync_async.messages import Bar
from barsync_async.ports import Arrival, CaughtUp, ConnectionChange, SourcesRefused
from barsync_async.shell.producer import Producer
from barsync_async.units import TRADES, Instant, SourceId, is_trades, split_stream
from barsync_async.venues.outcomes import Received, Rejection, Running, Traded

NOTHING_DERIVED: Mapping[SourceId, SourceId] = MappingProxyType({})

SortedOut = dict[Producer, list[Arrival]]
"""What goes to each producer; so each is woken once."""

log = structlog.get_logger("barsync.feed")


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
        """Number ``item``, read ``at`` this moment, and put it to what goes to the same producer;
        False where it is for none.
        """
        if type(item) is Bar:
            producer = self._routes[item.symbol, item.timeframe]
        elif type(item) is Running:
            producer = self._routes[item.bar.symbol, item.bar.timeframe]
        elif type(item) is Traded:
            producer = self._routes[item.symbol, TRADES]
        elif type(item) is Rejection:
            self._log.warning("rejected", reason=item.reason, detail=item.detail)
            producer = self._events
        elif isinstance(item, SourcesRefused):
            producer = self._events
        else:
            return False
        self._order += 1
        sorted_out.setdefault(producer, []).append(Arrival(at, self._feed, self._order, item))
        return True

    async def offer(self, sorted_out: SortedOut) -> Sequence[Arrival]:
        """Hand all of it over; waits where a producer is full. Gives what was no bar."""
        for producer, arrivals in sorted_out.items():
            await producer.offer(arrivals)
        return sorted_out.get(self._events, ())

    def without(self, refused: Sequence[SourceId]) -> SourcesRefused:
        """Of which sources no bars come any more: a stream of trades has none, what is made of it
        has.
        """
        made = [source for source, part in self._derived.items() if part in refused]
        return SourcesRefused((*(each for each in refused if not is_trades(each)), *made))

    async def hand_on(self, items: Sequence[Bar | Rejection], at: Instant) -> None:
        """Bars and rejections that arrived ``at`` this moment."""
        sorted_out: SortedOut = {}
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
