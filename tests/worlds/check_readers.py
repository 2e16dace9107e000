"""What a slow reader got, and what it was told that it lost, is all there was."""

from collections.abc import Sequence

from tests.worlds.record import Reading, Record

from barsync_async.messages import Event, Gap


def check_readers(record: Record) -> None:
    """Raises AssertionError with what does not hold."""
    for reading in record.readings:
        published = [each.event for each in record.published[reading.container]]
        where = f"world {record.world.seed} {reading.container}: the {reading.policy} reader"
        _check_reading(reading, published, where)


def _check_reading(reading: Reading, published: Sequence[Event], where: str) -> None:
    lost = 0
    expected = 1
    for event in reading.events:
        if isinstance(event.payload, Gap):
            gap = event.payload
            assert gap.first_seq == expected, f"{where} lost something before {gap}"
            length = gap.last_seq - gap.first_seq + 1
            assert gap.events_lost == length, f"{where} is told a wrong count by {gap}"
            lost += length
            expected += length
        else:
            assert event.seq == expected, f"{where} got {event} and no word of {expected}"
            assert event == published[event.seq - 1], f"{where} got another event: {event}"
            expected += 1
    assert lost == reading.dropped, f"{where} was told of {lost}, and lost {reading.dropped}"
    if reading.policy in ("block", "disconnect"):
        assert not lost, f"{where} lost {lost} events"
    if not reading.cut:
        assert expected == len(published) + 1, f"{where} got no word of {expected} and later"
    assert not reading.cut or reading.policy == "disconnect", f"{where} was cut off"
