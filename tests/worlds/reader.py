"""A subscriber that is slow until the world is calm."""

import asyncio

from tests.worlds.record import NUMBERED, Reading
from tests.worlds.timeline import Timeline
from tests.worlds.world import Reader

from barsync_async.errors import Overflow
from barsync_async.messages import Event
from barsync_async.shell.bus import EventBus
from barsync_async.shell.subscription import OverflowPolicy

_ODD_S = 0.000_053  # nothing else happens at such a moment


class SlowReader:
    """Takes one event, then pauses."""

    def __init__(self, plan: Reader, bus: EventBus, timeline: Timeline, hurry_at: int) -> None:
        self._plan = plan
        self._timeline = timeline
        self._hurry_at = hurry_at
        self._events: list[Event] = []
        self._cut = False
        self.was_full = False
        self.subscription = bus.subscribe_queue(
            *NUMBERED,
            name=f"slow {plan.policy}",
            capacity=plan.capacity,
            overflow=OverflowPolicy(plan.policy),
        )

    async def run(self) -> None:
        try:
            async for event in self.subscription:
                self._events.append(event)
                await self._pause()
        except Overflow:
            self._cut = True

    async def _pause(self) -> None:
        self.was_full |= self.subscription.blocking
        left_ns = self._hurry_at - self._timeline.now()
        if left_ns > 0:
            await asyncio.sleep(min(self._plan.pause_ms / 1_000, left_ns / 1e9) + _ODD_S)

    def reading(self) -> Reading:
        lost = self.subscription.statistics().dropped
        return Reading(self._plan.container, self._plan.policy, self._events, lost, self._cut)
