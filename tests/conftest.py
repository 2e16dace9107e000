"""The shell is tested on virtual time: no test waits for a real clock."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from barsync_async.shell.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    del config
    if "end_to_end" in item.path.parts or "recorded" in item.path.parts:
        return {"asyncio": asyncio.new_event_loop}
    return {"virtual": VirtualTimeLoop}
