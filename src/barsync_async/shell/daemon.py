"""The daemon: every task in one group, from the feeds to the outputs, and the order of stopping.

A clean stop closes each part after the one before it has handed on all that it had: feeds, then
producers, then each container, then the outputs. So everything that was read is in the output.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from random import Random

import anyio
import structlog

from barsync_async.config import Config
from barsync_async.messages import EventType
from barsync_async.ports import Clock, Connector, HttpClient
from barsync_async.shell.components.registry import build_containers
from barsync_async.shell.feeds.all_feeds import NO_HISTORIES, Feeds, warn_of_unused
from barsync_async.shell.feeds.connections import plan_connections
from barsync_async.shell.feeds.file_feed import BarHistory
from barsync_async.shell.groups import one_error
from barsync_async.shell.intake import Intake
from barsync_async.shell.outputs.output import Output
from barsync_async.shell.outputs.registry import make_sink
from barsync_async.shell.subscription import OverflowPolicy
from barsync_async.shell.totals import log_totals
from barsync_async.units import WallMs

log = structlog.get_logger("barsync")


class Daemon:
    """Everything that ``config`` names, put together and not yet running.

    Args:
        config: what to run.
        clock: the real or the virtual one.
        connector: opens the feeds' connections.
        intake: the one that ``connector`` counts reads in.
        http: asks the venues for past bars; None: nobody does.
        histories: of each feed of files, by its name.
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
        histories: Mapping[str, Sequence[BarHistory]] = NO_HISTORIES,
    ) -> None:
        self._http = http
        plans = plan_connections(config)
        lasts = [each.survey.last or WallMs(0) for some in histories.values() for each in some]
        self.containers = build_containers(
            config, clock=clock, intake=intake, connections=plans, until=max(lasts, default=None)
        )
        self._feeds = Feeds(
            plans,
            self.containers,
            clock=clock,
            connector=connector,
            intake=intake,
            rng=rng,
            http=http,
            histories=histories,
        )
        warn_of_unused(config)
        buses = [container.event_bus for container in self.containers]
        self._outputs = [
            Output(
                make_sink(name, table),
                buses,
                [EventType(each) for each in table.events],
                queue=table.queue,
                overflow=OverflowPolicy(table.overflow),
            )
            for name, table in config.outputs.items()
        ]

    async def run(self, stop: anyio.Event) -> None:
        """Run until ``stop`` is set, then hand on everything that was read, and return.

        Raises:
            OutputError: an output cannot be written. Nothing is drained then.
            OutputStuck: while everything stopped, an output's target took nothing and was given up;
                all others are whole.
            SubscriptionRefused: every feed was refused for good.
            Overflow: an output fell behind and was cut off; all others are whole.
        """
        with one_error():
            async with AsyncExitStack() as opened, anyio.create_task_group() as everything:
                if self._http is not None:
                    opened.push_async_callback(_close, self._http)
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
        for container in self.containers:
            log_totals(container)
        for output in self._outputs:
            if output.failure is not None:
                raise output.failure
        if (refused := self._feeds.refused) is not None:
            raise refused

    async def _feed_until(self, stop: anyio.Event) -> None:
        """Run the feeds; when they have ended, close all other parts from the front to the end."""
        async with anyio.create_task_group() as watching:
            for output in self._outputs:
                watching.start_soon(_watch, output, stop)
            await self._feeds.run(stop)
            for container in self.containers:
                await container.stop()
            for output in self._outputs:
                output.stop()


async def _watch(output: Output, stop: anyio.Event) -> None:
    await stop.wait()
    await output.watch()


async def _close(each: Output | HttpClient) -> None:
    """What was written is made durable, and what is open closed, though the daemon itself is
    cancelled.
    """
    with anyio.CancelScope(shield=True):
        await each.close()
