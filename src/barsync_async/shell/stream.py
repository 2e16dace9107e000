"""The synchronizer over any asynchronous source of bars, with real deadlines and no container."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.synchronizer import Outcome, Synchronizer
from barsync_async.messages import Bar
from barsync_async.ports import Clock
from barsync_async.shell.clock import SystemClock
from barsync_async.units import Instant

_CAPACITY = 4_096
_NS_PER_S = 1_000_000_000
_TIME: tuple[()] = ()

_Arrived = tuple[Bar, Instant] | None


async def synchronize_stream(
    source: AsyncIterable[Bar], spec: SynchronizerSpec, *, clock: Clock | None = None
) -> AsyncGenerator[Outcome, None]:
    """What comes out of the bars of ``source``, each stamped when it is given.

    Sets are sealed at proof or at their deadline, whatever ``source`` does meanwhile; at its end
    open slots are sealed. Close the iterator (``contextlib.aclosing``) to leave early: the reading
    task ends with it. An error of ``source`` is raised once what came before it is out.

    Args:
        source: closed bars, in any order.
        spec: the rules.
        clock: None: the machine's.
    """
    clock = clock or SystemClock()
    core = Synchronizer(spec)
    core.on_start(clock.now())
    arrived: asyncio.Queue[_Arrived] = asyncio.Queue(_CAPACITY)
    reading = asyncio.create_task(_read(source, arrived, clock), name="reading bars")
    try:
        while (item := await _next(core, arrived, clock)) is not None:
            outcomes = _pass_deadlines(core, clock) if item is _TIME else core.on_bar(*item)
            for outcome in outcomes:
                yield outcome
        for outcome in core.on_end(clock.now()):
            yield outcome
        await reading
    finally:
        reading.cancel()
        await asyncio.wait([reading])


async def _read(
    source: AsyncIterable[Bar], arrived: "asyncio.Queue[_Arrived]", clock: Clock
) -> None:
    try:
        async for bar in source:
            await arrived.put((bar, clock.now()))
    finally:
        await arrived.put(None)


async def _next(
    core: Synchronizer, arrived: "asyncio.Queue[_Arrived]", clock: Clock
) -> "_Arrived | tuple[()]":
    """The next bar, None at the end, or :data:`_TIME` where a deadline comes first."""
    if not arrived.empty() or not core.deadlines:
        return await arrived.get()
    left_ns = min(core.deadlines.values()) - clock.now().mono
    try:
        async with asyncio.timeout(max(0, left_ns) / _NS_PER_S):
            return await arrived.get()
    except TimeoutError:
        return _TIME


def _pass_deadlines(core: Synchronizer, clock: Clock) -> list[Outcome]:
    """A timer may ring early: then nothing is due yet, and there will be another."""
    now = clock.now()
    due = sorted(timestamp for timestamp, when in core.deadlines.items() if when <= now.mono)
    return [outcome for timestamp in due for outcome in core.on_deadline(timestamp, now)]
