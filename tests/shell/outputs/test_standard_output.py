"""Who writes to standard output while events go there."""

import threading

import pytest

from barsync_async.messages import Event, EventType, Gap
from barsync_async.shell.outputs.console import ConsoleSink
from barsync_async.shell.outputs.jsonl import STANDARD_OUTPUT, JsonlSink
from barsync_async.shell.outputs.standard_output import standard_output, stdout_for_events
from barsync_async.units import WallMs

GAP = Gap(timestamp=WallMs(0), subscriber="slow", first_seq=1, last_seq=3, events_lost=3)


@pytest.mark.parametrize("make", [ConsoleSink, lambda name: JsonlSink(name, STANDARD_OUTPUT)])
def test_events_do_and_what_anybody_prints_in_any_thread_goes_to_standard_error(
    make: type[ConsoleSink], capsys: pytest.CaptureFixture[str]
) -> None:
    sink = make("events")
    with stdout_for_events():
        sink.open()
        print("mine")  # noqa: T201 - as a strategy does
        worker = threading.Thread(target=print, args=["mine too"])
        worker.start()
        worker.join()
        sink.write([Event(EventType.GAP, GAP, "c", 7)])
        sink.close()
    print("afterwards")  # noqa: T201 - the same
    out, err = capsys.readouterr()
    assert err == "mine\nmine too\n"
    events, after, nothing = out.split("\n")
    assert "slow" in events
    assert (after, nothing) == ("afterwards", "")


def test_outside_of_it_an_output_goes_to_what_standard_output_is_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with stdout_for_events():
        pass
    print("mine", file=standard_output())
    assert capsys.readouterr().out == "mine\n"
