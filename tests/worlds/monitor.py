"""Looks at the running daemon again and again: are its bounds kept, do its accounts balance?"""

from tests.worlds.record import NUMBERED
from tests.worlds.timeline import Timeline
from tests.worlds.world import ContainerPlan, World

from barsync_async.core.statistics import SourceStatistics, Statistics
from barsync_async.messages import Event
from barsync_async.ports import TimerHandle
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.subscription import OverflowPolicy
from barsync_async.units import NS_PER_MS

_PERIOD_NS = 777 * NS_PER_MS + 777
_PATIENCE_NS = 60_000 * NS_PER_MS
_CONSEQUENCES = 16  # of one set at most, put into a queue that is full for sets


class Monitor:
    """Checks bounds at every event, and accounts now and then."""

    def __init__(self, world: World, daemon: Daemon, timeline: Timeline) -> None:
        self._world = world
        self._daemon = daemon
        self._timeline = timeline
        self._timer: TimerHandle | None = None
        self._watches = [
            _Watch(plan, container)
            for plan, container in zip(world.containers, daemon.containers, strict=True)
        ]

    def start(self) -> None:
        self._look()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now = self._timeline.now()
        assert now < self._world.end_at + _PATIENCE_NS, "the daemon does not come to an end"
        for watch in self._watches:
            watch.check_accounts()
        for producer in self._daemon._feeds._producers.values():
            depth = len(producer.queue)
            assert depth <= producer.queue.capacity, f"{producer.name} holds {depth}"
        self._timer = self._timeline.call_at(now + _PERIOD_NS, self._look)


class _Watch:
    """One container."""

    def __init__(self, plan: ContainerPlan, container: Container) -> None:
        (synchronizer,) = container.find(BarSynchronizer)
        self._plan = plan
        self._bus = container.event_bus
        self._synchronizer = synchronizer
        spec = synchronizer.spec
        ahead = (plan.base_ms + spec.max_future_ms) // plan.base_ms + 1
        self._most_open, self._most_waiting = spec.max_open, spec.max_open + ahead
        for event_type in NUMBERED:
            self._bus.subscribe(event_type, self._check_bounds)

    def _check_bounds(self, event: Event) -> None:
        """At every event."""
        name, life = self._plan.name, self._synchronizer._core._life
        count, waiting = len(life.slots.open), len(life.slots.order)
        assert count <= self._most_open, f"{name}: {count} slots are open at {event}"
        assert waiting <= self._most_waiting, f"{name}: {waiting} slots wait at {event}"
        inbox = self._synchronizer.inbox
        assert len(inbox) <= inbox.capacity, f"{name}: the inbox holds {len(inbox)}"
        for queue in self._bus.statistics():
            spare = _CONSEQUENCES if queue.policy is OverflowPolicy.BLOCK else 0
            assert queue.depth <= queue.capacity + spare, f"{name}: {queue} at {event}"

    def check_accounts(self) -> None:
        total = self._synchronizer.statistics()
        check_account(total, self._plan.name)
        by_source = self._synchronizer.source_statistics()
        for source, each in by_source.items():
            check_account(each, f"{self._plan.name} {source}")
        for field in ("accepted", "corrected", "duplicate", "late", "conflicts", "filled"):
            parts = sum(getattr(each, field) for each in by_source.values())
            assert parts == getattr(total, field), f"{self._plan.name}: {field} of all sources"


def check_account(each: Statistics | SourceStatistics, name: str) -> None:
    parts = each.accepted + each.corrected + each.duplicate + each.late + each.rejected
    assert each.received == parts, f"{name}: received {each.received}, told of {parts}"
