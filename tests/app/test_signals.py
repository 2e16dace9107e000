"""Signals that need no loop to be taken."""

import signal

import anyio
import pytest

from barsync_async.app.signals import Signals, signals_taken
from barsync_async.shell.virtual_time import VirtualTimeLoop

NUMBERS = (signal.SIGTERM, signal.SIGINT)


def run(signals: Signals, raised: signal.Signals | None) -> bool:
    """Whether a run of an hour of virtual time was stopped, if by a signal that comes meanwhile."""
    stop = anyio.Event()

    async def main() -> None:
        signals.set_on_signal(stop)
        if raised is not None:
            signal.raise_signal(raised)
        with anyio.move_on_after(3_600):
            await stop.wait()

    anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})
    return stop.is_set()


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_one_stops_the_run(number: signal.Signals) -> None:
    with signals_taken() as signals:
        assert run(signals, number)


@pytest.mark.parametrize("number", NUMBERS)
def test_one_that_came_before_the_loop_ran_stops_it_too(number: signal.Signals) -> None:
    with signals_taken() as signals:
        signal.raise_signal(number)
        assert run(signals, None)


def test_without_one_it_runs_on() -> None:
    with signals_taken() as signals:
        assert not run(signals, None)


def test_afterwards_they_are_handled_as_before() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with signals_taken():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("number", NUMBERS)
def test_the_second_one_leaves_at_once(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    with signals_taken():
        signal.raise_signal(signal.SIGINT)
        assert codes == []
        signal.raise_signal(number)
    assert codes == [1]
