"""Waiting for whichever comes first, and work that ends when something happens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


async def first_of(*events: anyio.Event) -> None:
    """Until one of ``events`` is set. Safe to cancel."""
    if any(event.is_set() for event in events):
        return
    async with anyio.create_task_group() as tasks:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        for event in events:
            tasks.start_soon(wait, event)


@asynccontextmanager
async def cancelled_by(event: anyio.Event) -> AsyncIterator[None]:
    """Cancel the body when ``event`` is set, if it is not done by then."""
    async with anyio.create_task_group() as tasks:

        async def cancel() -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(cancel)
        yield
        tasks.cancel_scope.cancel()
