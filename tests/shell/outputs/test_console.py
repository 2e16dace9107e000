"""Events as lines for a person."""

import io
import math
import sys
from typing import Any

import msgspec
import pytest

from barsync_async.errors import OutputError
from barsync_async.messages import (
    BarRejected,
    Event,
    EventType,
    Features,
    Gap,
    LateBar,
    PortfolioUpdate,
    Refusal,
    Signal,
    StrategyFault,
    SynchronizedBars,
    SyncSkipped,
)
from barsync_async.shell.outputs.console import ConsoleSink, render
from barsync_async.testing import create_bar
from barsync_async.units import MAX_WALL_MS, SourceId, WallMs

NOON = WallMs(1_767_355_200_000)  # 2026-01-02 12:00 UTC
SPY, QQQ = SourceId("SPY_1m"), SourceId("QQQ_1m")
SET = SynchronizedBars(
    timestamp=NOON,
    status="filled",
    bars={
        SPY: create_bar(SPY, NOON, 585.125),
        QQQ: msgspec.structs.replace(
            create_bar(QQQ, NOON - 60_000, 500.0), provenance="filled", age_ms=60_000
        ),
    },
    sources_present=(SPY,),
    sources_missing=(QQQ,),
    wait_ms=100.04,
    loop_lag_ms=0.04,
)


def shown(payload: Any, event_type: EventType = EventType.SIGNAL, *, colour: bool = False) -> str:
    return render(Event(event_type, payload, "c", 1), colour=colour)


def signal(**values: Any) -> Signal:
    fields = {"strategy": "momentum", "targets": {}, "reason": "why"} | values
    return Signal(timestamp=NOON, **fields)


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (
            SET,
            "filled    SPY_1m 585.12 | QQQ_1m 500.00 filled, missing QQQ_1m, waited 100.0 ms",
        ),
        (
            msgspec.structs.replace(SET, status="complete", bars={SPY: SET.bars[SPY]}),
            "complete  SPY_1m 585.12, no QQQ_1m yet, waited 100.0 ms",
        ),
        (
            SyncSkipped(
                timestamp=NOON,
                reason="incomplete",
                sources_present=(SPY,),
                sources_missing=(QQQ,),
                wait_ms=100.0,
            ),
            "SKIPPED   incomplete, missing QQQ_1m, waited 100.0 ms",
        ),
        (
            LateBar(timestamp=NOON, bar=create_bar(SPY, NOON), late_by_ms=12.34, action="dropped"),
            "LATE      SPY_1m by 12.3 ms, dropped",
        ),
        (
            BarRejected(timestamp=NOON, reason="malformed", feed="sim", detail="no JSON"),
            "REJECTED  malformed from sim: no JSON",
        ),
        (
            Features(timestamp=NOON, features={"SPY_1m": {"sma": 1.23456, "rsi": 50.0}}, bars={}),
            "  features SPY_1m sma 1.235 rsi 50",
        ),
        (
            signal(targets={"QQQ": -1.5, "SPY": 2.0}),
            "  signal  momentum: QQQ -1.50 SPY +2.00 (why)",
        ),
        (signal(), "  signal  momentum: no change (why)"),
        (
            StrategyFault(
                timestamp=NOON, strategy="pairs", kind="late", detail="slow", action="restarted"
            ),
            "  FAULT   pairs late: slow, restarted",
        ),
        (
            PortfolioUpdate(
                timestamp=NOON,
                version=3,
                positions={"SPY": 2.0},
                cash=998_829.75,
                equity=1_000_000.0,
                applied=(),
            ),
            "  folio   v3 SPY +2.00, cash 998,829.75, equity 1,000,000.00",
        ),
        (
            PortfolioUpdate(
                timestamp=NOON, version=1, positions={}, cash=0.0, equity=0.0, applied=()
            ),
            "  folio   v1 flat, cash 0.00, equity 0.00",
        ),
        (
            PortfolioUpdate(
                timestamp=NOON,
                version=9,
                positions={},
                cash=0.0,
                equity=0.0,
                applied=("momentum",),
                stale=("momentum",),
                refused=(
                    Refusal(
                        strategy="momentum",
                        symbol="SPY",
                        target=9.0,
                        granted=0.0,
                        reason="max_units = 3",
                    ),
                ),
            ),
            (
                "  folio   v9 flat, cash 0.00, equity 0.00; momentum gets +0.00 of +9.00 SPY "
                "(max_units = 3); momentum stale"
            ),
        ),
        (
            Gap(timestamp=NOON, subscriber="slow", first_seq=1, last_seq=3, events_lost=3),
            "GAP       slow lost 3 events",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_every_event_is_one_line_with_the_time_of_its_set(payload: Any, line: str) -> None:
    assert shown(payload) == f"12:00:00 {line}"


def test_features_that_are_not_known_yet_are_left_out() -> None:
    values = {"SPY_1m": {"sma": 1.0, "rsi": math.nan}, "correlation": {"A|B": math.nan}}
    assert shown(Features(timestamp=NOON, features=values, bars={})).endswith("SPY_1m sma 1")
    values = {"SPY_1m": {"sma": math.nan}}
    assert shown(Features(timestamp=NOON, features=values, bars={})).endswith("warming up")


def test_a_crowd_of_features_is_cut_and_counted() -> None:
    values = {f"S{number}_1m": {"sma": float(number)} for number in range(1, 10)}
    text = shown(Features(timestamp=NOON, features=values, bars={}))
    assert text.endswith("S6_1m sma 6 | and 3 more")


def test_nothing_wanted_is_a_plain_zero() -> None:
    assert "SPY 0 (why)" in shown(signal(targets={"SPY": -0.0}))


@pytest.mark.parametrize(("status", "code"), [("complete", 32), ("filled", 36), ("partial", 33)])
def test_the_status_is_coloured_on_a_terminal_only(status: Any, code: int) -> None:
    payload = msgspec.structs.replace(SET, status=status)
    assert f"\x1b[{code}m{status:<9}\x1b[0m" in shown(payload, colour=True)
    assert "\x1b" not in shown(payload)


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b[2J", "a\x00b", "a\u2028b", "\x9b31m"])
def test_what_is_told_is_one_line_whatever_it_holds_and_moves_no_cursor(text: str) -> None:
    line = shown(signal(strategy=text, targets={text: 1.0}, reason=text))
    assert line.isprintable()
    assert "momentum" not in line


def test_the_last_moment_there_is_can_be_shown() -> None:
    payload = msgspec.structs.replace(SET, timestamp=WallMs(MAX_WALL_MS - 1))
    assert shown(payload).startswith("23:59:59 ")


def test_an_event_of_a_type_yet_unknown_here_is_told_by_its_type() -> None:
    payload = Gap(timestamp=NOON, subscriber="s", first_seq=1, last_seq=1, events_lost=1)
    other = msgspec.defstruct("Other", [("timestamp", int)])(payload.timestamp)
    assert "CLOCK_STEP" in shown(other, EventType.CLOCK_STEP)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_sink_writes_a_line_for_each_event_in_order() -> None:
    stream = io.StringIO()
    sink = ConsoleSink("screen", stream)
    sink.open()
    sink.write([Event(EventType.SIGNAL, signal(strategy=name)) for name in ("a", "b")])
    sink.close()
    lines = stream.getvalue().splitlines()
    assert [line.split()[2] for line in lines] == ["a:", "b:"]
    assert not stream.closed


def test_the_sink_uses_colour_on_a_terminal() -> None:
    for stream, coloured in ((Terminal(), True), (io.StringIO(), False)):
        ConsoleSink("screen", stream).write([Event(EventType.SYNCHRONIZED_BARS, SET)])
        assert ("\x1b[36m" in stream.getvalue()) == coloured


def test_the_sink_takes_standard_output_where_no_stream_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    sink = ConsoleSink("screen")
    sink.open()
    sink.write([Event(EventType.SIGNAL, signal())])
    assert "momentum" in stream.getvalue()


class Broken(io.StringIO):
    """A stream whose reader has gone."""

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_stream_that_cannot_be_written_is_an_output_error() -> None:
    sink = ConsoleSink("screen", Broken())
    with pytest.raises(OutputError, match=r"^standard output: cannot be written: .*Broken pipe"):
        sink.write([Event(EventType.SIGNAL, signal())])
