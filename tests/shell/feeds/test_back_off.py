"""How long to wait before the venue is asked again."""

from random import Random

from barsync_async.shell.feeds.back_off import BackOff


class Highest(Random):
    """Draws the bound itself."""

    def uniform(self, a: float, b: float) -> float:
        assert a == 0
        return b


def test_the_bound_doubles_from_a_quarter_to_thirty_seconds_and_stays() -> None:
    back_off = BackOff(Highest())
    waits = [back_off.delay_s() for _ in range(40)]
    assert waits[:8] == [0.25, 0.5, 1, 2, 4, 8, 16, 30]
    assert set(waits[8:]) == {30}


def test_a_venue_that_can_be_reached_makes_it_short_again() -> None:
    back_off = BackOff(Highest())
    for _ in range(9):
        back_off.delay_s()
    back_off.reset()
    assert back_off.delay_s() == 0.25


def test_a_connection_that_was_short_is_no_reason_to_wait_but_a_second_one_is() -> None:
    back_off = BackOff(Highest())
    assert [back_off.repeated_delay_s() for _ in range(4)] == [0, 0.5, 1, 2]
