"""All feeds of a config, the producers behind them, and the order in which they end."""

from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType

import anyio
import structlog
from anyio.abc import TaskGroup

from barsync_async.config import Config
from barsync_async.errors import SubscriptionRefused
from barsync_async.ports import Arrival, Clock, Connector, HttpClient
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.feeds.backfill import Backfill
from barsync_async.shell.feeds.connections import ConnectionPlan, expected_sources, wanted_of
from barsync_async.shell.feeds.derived import Derived
from barsync_async.shell.feeds.feed import Feed
from barsync_async.shell.feeds.file_feed import BarHistory, FileFeed
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.feeds.warm_up import warm_up
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.shell.waiting import cancelled_by
from barsync_async.units import SourceId
from barsync_async.venues import CODECS

NO_HISTORIES: Mapping[str, Sequence[BarHistory]] = MappingProxyType({})

log = structlog.get_logger("barsync")


class Feeds:
    """One feed for each of ``plans``, and one producer for each source that they carry.

    The other parameters are those of :class:`~barsync_async.shell.daemon.Daemon`.
    """

    def __init__(
        self,
        plans: Sequence[ConnectionPlan],
        containers: Sequence[Container],
        *,
        clock: Clock,
        connector: Connector,
        intake: Intake,
        rng: Random,
        http: HttpClient | None,
        histories: Mapping[str, Sequence[BarHistory]],
    ) -> None:
        self._synchronizers = [
            synchronizer
            for container in containers
            for synchronizer in container.find(BarSynchronizer)
        ]
        self._clock = clock
        self._connector = connector
        self._intake = intake
        self._rng = rng
        self._http = http
        self._producers: dict[str, Producer] = {}
        self._live: dict[Feed, int] = {}
        self._files: list[FileFeed] = []
        for plan in plans:
            if plan.venue in CODECS:
                self._live[self._live_feed(plan)] = plan.backfill
            else:
                self._files.append(self._file_feed(plan, histories[plan.feed]))

    @property
    def refused(self) -> SubscriptionRefused | None:
        """Why every feed was refused for good; None where one was not."""
        reasons = [feed.gave_up for feed in self._live if feed.gave_up is not None]
        everyone = reasons and len(reasons) == len(self._live) and not self._files
        return reasons[0] if everyone else None

    # Making

    def _live_feed(self, plan: ConnectionPlan) -> Feed:
        feed = Feed(
            plan.name,
            CODECS[plan.venue],
            plan.sources,
            plan.options,
            connector=self._connector,
            producers=self._producers_of(plan),
            events=self._producer(f"events of {plan.name}", plan.carried),
            clock=self._clock,
            intake=self._intake,
            grace_ms=plan.grace_ms,
            rollover_s=plan.rollover_s,
            backfill=self._backfill(plan),
            derived=plan.derived,
            rng=type(self._rng)(self._rng.random()),  # each feed's own
        )
        self._derive(plan, feed)
        return feed

    def _file_feed(self, plan: ConnectionPlan, histories: Sequence[BarHistory]) -> FileFeed:
        feed = FileFeed(
            plan.name,
            [each for each in histories if each.source in plan.sources],
            producers=self._producers_of(plan),
            events=self._producer(f"events of {plan.name}", plan.carried),
            clock=self._clock,
        )
        self._derive(plan, feed)
        return feed

    def _backfill(self, plan: ConnectionPlan) -> Backfill | None:
        history = CODECS[plan.venue].history
        if not plan.backfill or history is None or self._http is None:
            return None
        return Backfill(plan.name, history, plan.options, http=self._http, clock=self._clock)

    def _derive(self, plan: ConnectionPlan, feed: Feed | FileFeed) -> None:
        for source, parts in plan.derived.items():
            derived = Derived(
                plan.name, source, parts, grace_ms=plan.grace_ms, heard_at=feed.heard_at
            )
            self._producers[parts].derive(derived, self._producer(source, {source}))

    def _producers_of(self, plan: ConnectionPlan) -> dict[SourceId, Producer]:
        return {source: self._producer(source, {source}) for source in plan.sources}

    def _producer(self, name: str, sources: set[SourceId] | frozenset[SourceId]) -> Producer:
        """What arrives goes to every synchronizer that expects one of ``sources``."""
        inboxes: list[Inbox[Arrival]] = [
            each.inbox for each in self._synchronizers if sources & each.expected_sources
        ]
        producer = Producer(name, self._intake, inboxes, clock=self._clock)
        return self._producers.setdefault(name, producer)

    # Running

    def _all(self) -> Sequence[Feed | FileFeed]:
        return [*self._live, *self._files]

    async def run(self, stop: anyio.Event) -> None:
        """Until ``stop`` is set, or every feed has ended by itself; all that was read is handed on
        then.
        """
        async with anyio.create_task_group() as producing:
            for producer in self._producers.values():
                producing.start_soon(producer.run, name=f"producer {producer.name}")
            await self._warm_up(stop)
            async with anyio.create_task_group() as feeding:
                feeding.start_soon(self._stop_feeds, stop, feeding)
                async with anyio.create_task_group() as running:
                    for feed in self._all():
                        running.start_soon(feed.run, name=f"feed {feed.name}")
                stop.set()  # where it is not, no feed goes on
            await self._close()

    async def _warm_up(self, stop: anyio.Event) -> None:
        """Get the past bars, unless told to stop before they are there."""
        if not any(feed.past for feed in self._live):
            return
        async with cancelled_by(stop):
            await warm_up(self._live, self._intake)

    async def _stop_feeds(self, stop: anyio.Event, feeding: TaskGroup) -> None:
        await stop.wait()
        log.info("stopping", detail="reading no more; draining")
        for feed in self._all():
            feeding.start_soon(feed.stop, name=f"stop {feed.name}")

    async def _close(self) -> None:
        """Close every producer, once all those that write to it are done."""
        left = [*self._producers.values()]
        while left:
            targets = {target for producer in left for target in producer.targets}
            first = [producer for producer in left if producer not in targets]
            for producer in first:
                producer.queue.close()
            for producer in first:
                await producer.done.wait()
            left = [producer for producer in left if producer in targets]


def warn_of_unused(config: Config) -> None:
    """Name the sources that nobody asked for."""
    expected = expected_sources(config)
    for name, table in config.feeds.items():
        wanted = frozenset(wanted_of(table, expected))
        unused = [source for source in table.sources if source not in wanted]
        if unused:
            log.warning("not subscribed: no container expects them", feed=name, sources=unused)
