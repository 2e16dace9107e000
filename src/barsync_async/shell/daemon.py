"""The daemon: every task in one group, from the feeds to the outputs, and the order of stopping.

A clean stop closes each part after the one before it has handed on all that it had: feeds, then
producers, then each container, then the outputs. So everything that was read is in the output.
"""

from contextlib import AsyncExitStack
from random import Random

import anyio
import structlog
from anyio.abc import TaskGroup

from barsync_async.config import Config
from barsync_async.messages import EventType
from barsync_async.ports import Arrival, Clock, Connector, HttpClient
from barsync_async.shell.backfill import Backfill
from barsync_async.shell.components.registry import build_containers
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.connections import (
    ConnectionPlan,
    expected_sources,
    plan_connections,
)
from barsync_async.shell.feed import Feed
from barsync_async.shell.groups import one_error
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.shell.outputs.output import Output
from barsync_async.shell.outputs.registry import make_sink
from barsync_async.shell.producer import Producer
from barsync_async.shell.warm_up import warm_up
from barsync_async.units import SourceId
from barsync_async.venues import CODECS

log = structlog.get_logger("barsync")


class Daemon:
    """Everything that ``config`` names, put together and not yet running.

    Args:
        config: what to run.
        clock: the real or the virtual one.
        connector: opens the feeds' connections.
        intake: the one that ``connector`` counts reads in.
        http: asks the venues for past bars; None: nobody does.
        rng: for the back-off's jitter.

    Raises:
        ConfigError: a component cannot be made as configured.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        connector: Connector,
        intake: Intake,
        rng: Random,
        http: HttpClient | None = None,
    ) -> None:
        self._clock = clock
        self._http = http
        self._connector = connector
        self._intake = intake
        self._rng = rng
        plans = plan_connections(config)
        self.containers = build_containers(config, clock=clock, intake=intake, connections=plans)
        self._producers: dict[str, Producer] = {}
        self._past_bars = {self._make_feed(plan): plan.backfill for plan in plans}
        self._feeds = list(self._past_bars)
        _warn_of_unused(config)
        buses = [container.event_bus for container in self.containers]
        self._outputs = [
            Output(make_sink(name, table), buses, [EventType(each) for each in table.events])
            for name, table in config.outputs.items()
        ]

    def _make_feed(self, plan: ConnectionPlan) -> Feed:
        producers = {source: self._producer(source, {source}) for source in plan.sources}
        return Feed(
            plan.name,
            CODECS[plan.venue],
            plan.sources,
            plan.options,
            connector=self._connector,
            producers=producers,
            events=self._producer(f"events of {plan.name}", set(plan.sources)),
            clock=self._clock,
            intake=self._intake,
            grace_ms=plan.grace_ms,
            rollover_s=plan.rollover_s,
            backfill=self._backfill(plan),
            rng=Random(self._rng.random()),  # noqa: S311 - jitter is no secret, and each feed's own
        )

    def _backfill(self, plan: ConnectionPlan) -> Backfill | None:
        history = CODECS[plan.venue].history
        if not plan.backfill or history is None or self._http is None:
            return None
        return Backfill(plan.name, history, plan.options, http=self._http, clock=self._clock)

    def _producer(self, name: str, sources: set[SourceId]) -> Producer:
        """What arrives goes to every synchronizer that expects one of ``sources``."""
        inboxes: list[Inbox[Arrival]] = [
            synchronizer.inbox
            for container in self.containers
            for synchronizer in container.find(BarSynchronizer)
            if sources & synchronizer.expected_sources
        ]
        return self._producers.setdefault(name, Producer(name, self._intake, inboxes))

    async def run(self, stop: anyio.Event) -> None:
        """Run until ``stop`` is set, then hand on everything that was read, and return.

        Raises:
            OutputError: an output cannot be written. Nothing is drained then.
            SubscriptionRefused: every feed was refused for good.
        """
        with one_error():
            async with AsyncExitStack() as opened, anyio.create_task_group() as everything:
                for output in self._outputs:
                    await output.open()
                    opened.push_async_callback(_close, output)
                    for subscription in output.subscriptions:
                        everything.start_soon(
                            output.write_from, subscription, name=subscription.name
                        )
                for container in self.containers:
                    container.start()
                    everything.start_soon(container.run, name=f"container {container.name}")
                everything.start_soon(self._feed_until, stop, name="feeds")
        self._log_totals()
        refused = [feed.gave_up for feed in self._feeds if feed.gave_up is not None]
        if refused and len(refused) == len(self._feeds):
            raise refused[0]

    async def _feed_until(self, stop: anyio.Event) -> None:
        """Run feeds and producers; when told to stop, close all parts from the front to the end."""
        async with anyio.create_task_group() as producing:
            for producer in self._producers.values():
                producing.start_soon(producer.run, name=f"producer {producer.name}")
            await self._warm_up(stop)
            async with anyio.create_task_group() as feeding:
                feeding.start_soon(self._stop_feeds, stop, feeding)
                async with anyio.create_task_group() as running:
                    for feed in self._feeds:
                        running.start_soon(feed.run, name=f"feed {feed.name}")
                stop.set()  # it is, unless every feed was refused for good
            for producer in self._producers.values():
                producer.queue.close()
        for container in self.containers:
            await container.stop()
        for output in self._outputs:
            output.stop()
        if self._http is not None:
            await self._http.close()

    async def _warm_up(self, stop: anyio.Event) -> None:
        """Get the past bars, unless told to stop before they are there."""
        if not any(feed.past for feed in self._feeds):
            return
        async with anyio.create_task_group() as tasks:

            async def end_with_stop() -> None:
                await stop.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_with_stop)
            await warm_up(self._past_bars, self._intake)
            tasks.cancel_scope.cancel()

    async def _stop_feeds(self, stop: anyio.Event, feeding: TaskGroup) -> None:
        await stop.wait()
        log.info("stopping", detail="reading no more; draining")
        for feed in self._feeds:
            feeding.start_soon(feed.stop, name=f"stop {feed.name}")

    def _log_totals(self) -> None:
        for container in self.containers:
            for synchronizer in container.find(BarSynchronizer):
                totals = synchronizer.statistics()
                log.info(
                    "totals",
                    container=container.name,
                    received=totals.received,
                    accepted=totals.accepted,
                    corrected=totals.corrected,
                    duplicate=totals.duplicate,
                    late=totals.late,
                    rejected=totals.rejected,
                    sets=dict(totals.sets_by),
                    skipped=dict(totals.skips_by),
                )


def _warn_of_unused(config: Config) -> None:
    wanted = expected_sources(config)
    for name, table in config.feeds.items():
        unused = [source for source in table.sources if source not in wanted]
        if unused:
            log.warning("not subscribed: no container expects them", feed=name, sources=unused)


async def _close(output: Output) -> None:
    """What was written is made durable though the daemon itself is cancelled."""
    with anyio.CancelScope(shield=True):
        await output.close()
