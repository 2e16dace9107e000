"""What is said of a container at its end."""

import pytest
from structlog.testing import capture_logs

from barsync_async.messages import Event, EventType, Features
from barsync_async.shell.components.portfolio import Portfolio
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.container import Container
from barsync_async.shell.totals import log_totals
from barsync_async.units import WallMs


@pytest.mark.parametrize("late", [0, 3])
def test_who_was_late_for_the_portfolio_is_told_with_how_often(late: int) -> None:
    container = Container("c")
    silent = StrategyRunner(["momentum"])
    container.components["strategies"] = silent
    container.add_component("portfolio", Portfolio())
    for number in range(late + 1):  # each closes the version before
        made = Features(timestamp=WallMs(number), features={}, bars={})
        container.event_bus.publish(Event(EventType.FEATURES, made))
    with capture_logs() as logs:
        log_totals(container)
    told = {"event": "late for versions", "log_level": "warning", "container": "c"}
    assert logs == ([told | {"versions": 3, "late": {"momentum": 3}}] if late else [])
