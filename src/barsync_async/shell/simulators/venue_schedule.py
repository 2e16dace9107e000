"""Lets a pure venue act at each of its moments, on whatever clock there is."""

import asyncio
from collections.abc import Callable, Sequence

from barsync_async.ports import Clock
from barsync_async.simulation.actions import Action
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import MonoNs


class VenueSchedule:
    """Carries ``venue`` from moment to moment; ``perform`` does what it wants done."""

    def __init__(
        self, venue: SimulatedVenue, clock: Clock, perform: Callable[[Sequence[Action]], None]
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._perform = perform
        self._changed = asyncio.Event()

    def look_again(self) -> None:
        """The venue's next moment may be another now: somebody connected."""
        self._changed.set()

    async def run(self) -> None:
        """Until the venue has finished."""
        while True:
            self._perform(self._venue.advance(self._clock.now().mono))
            when = self._venue.next_at()
            if when is None:
                return
            self._changed.clear()
            timer = self._clock.call_at(MonoNs(when), self._changed.set)
            try:
                await self._changed.wait()
            finally:
                timer.cancel()
