"""What a daemon says of each container when it has ended."""

import msgspec
import structlog

from barsync_async.shell.components.portfolio import Portfolio
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container

log = structlog.get_logger("barsync")


def log_totals(container: Container) -> None:
    """Bars and sets by what became of them; queues that lost events or held others up; strategies
    that failed, or were late for the portfolio.
    """
    bound = log.bind(container=container.name)
    for queue in container.event_bus.statistics():
        if queue.dropped or queue.held_up_ms:
            bound.warning("queue", **msgspec.structs.asdict(queue))
    for runner in container.find(StrategyRunner):
        for each in runner.statistics():
            if any(each.faults.values()):
                bound.warning(
                    "strategy",
                    strategy=each.name,
                    asked=each.asked,
                    decisions=each.decisions,
                    faults={kind: count for kind, count in each.faults.items() if count},
                    rested=each.rested,
                    left_off=each.is_left_off,
                    latency_max_ms=round(each.latency_max_ms, 3),
                )
    for portfolio in container.find(Portfolio):
        counted = portfolio.statistics()
        if counted.late:
            bound.warning("late for versions", versions=counted.versions, late=dict(counted.late))
    for synchronizer in container.find(BarSynchronizer):
        totals = synchronizer.statistics()
        bound.info(
            "totals",
            received=totals.received,
            accepted=totals.accepted,
            corrected=totals.corrected,
            duplicate=totals.duplicate,
            late=totals.late,
            rejected=totals.rejected,
            sets=dict(totals.sets_by),
            skipped=dict(totals.skips_by),
        )
