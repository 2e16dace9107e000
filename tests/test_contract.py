"""The example of the contract, word for word, with imports in front."""

from barsync_async import BarSynchronizer, Container
from barsync_async.testing import create_bar_event


def test_bar_synchronization():
    container = Container()
    synchronizer = BarSynchronizer(expected_sources={'SPY_1m', 'QQQ_1m'}, require_all=True)
    container.add_component('sync', synchronizer)
    container.event_bus.publish(create_bar_event('QQQ_1m', timestamp=1000))
    assert len(synchronizer.bar_buffer) == 1
    container.event_bus.publish(create_bar_event('SPY_1m', timestamp=1000))
    assert len(synchronizer.bar_buffer) == 0
