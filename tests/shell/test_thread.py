"""A thread that tells whoever waits for it what came of a call, whatever that was."""

import threading

import pytest

from barsync_async.shell.thread import AbandonableThread

LONG_S = 60


def raising(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_call_raises_is_the_waiting_callers_and_the_thread_goes_on(
    error: BaseException,
) -> None:
    thread = AbandonableThread("busy")
    failed, done = thread.submit(raising, error), thread.submit(threading.current_thread)
    assert failed.exception(LONG_S) is error
    assert done.result(LONG_S).name == "busy"
    thread.shutdown()


def test_a_call_that_was_cancelled_before_its_turn_is_left_out() -> None:
    thread, called, begin = AbandonableThread("busy"), threading.Event(), threading.Event()
    first = thread.submit(begin.wait, LONG_S)
    assert thread.submit(called.set).cancel()
    begin.set()
    assert first.result(LONG_S)
    thread.submit(int).result(LONG_S)
    assert not called.is_set()
    thread.shutdown()
