"""A strategy in a process of its own: what it says, and what becomes of one that does not."""

import gc
import math
import os
import threading
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs
from tests.places import unplaced

from barsync_async.messages import Decision, Features, PortfolioUpdate, Refusal
from barsync_async.shell.components.held_strategy import Failure
from barsync_async.shell.components.strategy_output import StrategyOutput
from barsync_async.shell.components.strategy_process import StrategyProcess
from barsync_async.shell.components.strategy_wire import (
    RequestEncoder,
    decode_reply,
    decode_request,
    encode_reply,
)
from barsync_async.testing import create_bar
from barsync_async.units import WallMs

NOON = 1_800_000_000_000
UNRULY = "tests.shell.components.unruly"
PORTFOLIO = PortfolioUpdate(
    timestamp=WallMs(NOON),
    version=7,
    positions={"SPY": 0.1},
    cash=1.0,
    equity=2.0,
    applied=("a",),
    refused=(Refusal(strategy="a", symbol="SPY", target=1.0, granted=0.0, reason="why"),),
)


def features(timestamp: int = NOON) -> Features:
    bar = create_bar("SPY_1m", timestamp, 0.1)
    values = {"SPY_1m": {"sma": 0.1 + 0.2, "rsi": math.nan}}
    return Features(timestamp=WallMs(timestamp), features=values, bars={bar.source: bar})


def counting(**wrong: str) -> dict[str, Any]:
    """``at_2="exit"``: exits at the second question."""
    ways = {key.removeprefix("at_"): how for key, how in wrong.items()}
    return {"name": f"{UNRULY}:Counting", "wrong": ways}


def begun(choice: Any) -> StrategyProcess:
    process = StrategyProcess(choice)
    process.greeted()
    return process


def pid(process: StrategyProcess) -> int:
    return process._process.pid


def is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def encode_request(asked: Features, portfolio: PortfolioUpdate | None) -> bytes:
    return RequestEncoder().encode(asked, portfolio)[1]


# Between the processes


def test_what_a_strategy_is_asked_comes_over_whole_and_read_only() -> None:
    sent = features()
    got = decode_request(encode_request(sent, PORTFOLIO))
    assert got.portfolio == PORTFOLIO
    assert (got.features.timestamp, got.features.bars) == (sent.timestamp, sent.bars)
    assert got.features.features["SPY_1m"]["sma"] == 0.1 + 0.2
    assert math.isnan(got.features.features["SPY_1m"]["rsi"])
    for mapping in (got.features.bars, got.features.features, got.features.features["SPY_1m"]):
        with pytest.raises(TypeError):
            mapping["x"] = 1  # type: ignore[index]  # the point
    assert decode_request(encode_request(sent, None)).portfolio is None


def test_what_all_are_asked_is_written_once_and_nothing_else_is_taken_for_it() -> None:
    encoder, one, other = RequestEncoder(), features(NOON), features(NOON + 1)
    first = encoder.encode(one, PORTFOLIO)
    assert encoder.encode(one, PORTFOLIO)[1] is first[1]
    numbers = {first[0]}
    for asked, portfolio in ((one, None), (other, None), (other, PORTFOLIO), (one, PORTFOLIO)):
        number, raw = encoder.encode(asked, portfolio)
        got = decode_request(raw)
        assert number == got.number
        assert number not in numbers
        numbers.add(number)
        assert (got.features.timestamp, got.portfolio) == (asked.timestamp, portfolio)


@pytest.mark.parametrize("answer", [Decision({"SPY": 0.1}, "why"), Failure("raised", "no")])
def test_what_it_says_comes_back_whole(answer: Any) -> None:
    assert decode_reply(7, encode_reply(7, answer)) == answer


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Decision({"SPY": math.nan}, ""), "expected a finite number"),
        (Decision({"SPY": 1e308}, ""), "expected at most 1e"),
        (Decision({f"S{number}": 1.0 for number in range(10_001)}, ""), "more than 10000 targets"),
        (Decision({}, "x" * 1_001), "reason of 1001 characters"),
    ],
)
def test_what_a_process_says_is_checked_here_too(decision: Decision, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_reply(7, encode_reply(7, decision))


def test_a_reply_to_another_request_is_refused() -> None:
    with pytest.raises(ValueError, match="a reply to request 6, expected one to 7"):
        decode_reply(7, encode_reply(6, Decision({}, "")))


def test_why_a_process_failed_is_an_excerpt() -> None:
    failure = decode_reply(7, encode_reply(7, Failure("raised", "\x1b" * 10_000)))
    assert isinstance(failure, Failure)
    assert failure.detail.isprintable()
    assert len(failure.detail) <= 512


# The process


def test_a_strategy_in_a_process_decides_and_keeps_its_state_there() -> None:
    process = StrategyProcess(counting())
    assert process.greeted() == "counting"
    assert process.ask(features(), None) == Decision({"SPY": 1.0}, f"at {NOON} on 0")
    assert process.ask(features(), PORTFOLIO) == Decision({"SPY": 2.0}, f"at {NOON} on 7")
    process.close()


def test_it_can_alter_nothing_that_it_is_shown() -> None:
    process = begun(f"{UNRULY}:Altering")
    assert process.ask(features(), None) == Decision({}, "3 times refused")
    process.close()


def test_the_shipped_strategies_work_there_too() -> None:
    process = StrategyProcess({"name": "momentum", "label": "fast"})
    assert process.greeted() == "fast"
    assert process.ask(features(), None) == Decision({}, "warming up")
    process.close()


@pytest.mark.parametrize("how", ["raise", "leave", "interrupt", "flood"])
def test_one_that_fails_in_its_process_is_made_anew_there_and_the_process_lives(how: str) -> None:
    process = begun(counting(at_2=how))
    number = pid(process)
    process.ask(features(), None)
    failure = process.ask(features(), None)
    assert isinstance(failure, Failure)
    assert (
        Failure(failure.kind, unplaced(failure.detail))
        == {
            "raise": Failure("raised", "ValueError: as told"),
            "leave": Failure("raised", "SystemExit: as told"),
            "interrupt": Failure("raised", "KeyboardInterrupt"),
            "flood": Failure("overflow", "a decision of more than 10000 targets"),
        }[how]
    )
    assert process.ask(features(), None) == Decision({"SPY": 1.0}, f"at {NOON} on 0")
    assert (pid(process), process.is_lost) == (number, False)
    process.close()


@pytest.mark.parametrize(
    ("how", "detail"),
    [("exit", "the process ended with 3"), ("crash", "the process was ended by SIGSEGV")],
)
def test_a_process_that_dies_is_told_and_another_can_begin(how: str, detail: str) -> None:
    process = begun(counting(at_1=how))
    assert process.ask(features(), None) == Failure("died", detail)
    assert process.is_lost
    process.start()
    assert process.greeted() == "counting"
    process.close()


@pytest.mark.parametrize("how", ["lie", "cheat"])
def test_a_process_that_says_what_is_no_answer_is_ended(how: str) -> None:
    process = begun(counting(at_1=how))
    answer = process.ask(features(), None)
    assert isinstance(answer, Failure)
    assert answer.kind == "died"
    assert "the process sent what is no decision" in answer.detail
    assert process.is_lost
    process.close()


def forked(process: StrategyProcess) -> None:
    """Wait until the strategy has another process."""
    path = Path(f"/proc/{pid(process)}/task/{pid(process)}/children")
    while not path.read_text():
        pass


def test_one_that_answers_twice_is_ended_and_its_decisions_do_not_shift() -> None:
    process = begun(counting(at_1="repeat"))
    assert process.ask(features(), None) == Decision({}, "first")
    answer = process.ask(features(), None)
    assert isinstance(answer, Failure)
    assert answer.detail.endswith("a reply to request 1, expected one to 2")
    assert process.is_lost
    process.close()


@pytest.mark.parametrize("how", ["spin", "fork", "escape"])
def test_one_that_overruns_can_be_killed_and_whoever_waits_for_it_hears_so(how: str) -> None:
    process = begun({**counting(at_1=how), "label": how})
    says = next(each for each in threading.enumerate() if each.name == f"says-{UNRULY}:Counting")
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(process.ask(features(), None)))
    asking.start()
    if how != "spin":
        forked(process)
    process.kill()
    asking.join(60)
    assert answers == [Failure("died", "the process was ended by SIGKILL")]
    process.close()
    says.join(60)
    assert not says.is_alive()  # nobody is left who could print: what it started is gone, too


def test_a_process_that_is_closed_is_gone() -> None:
    process = begun(counting())
    number = pid(process)
    process.close()
    process.close()
    assert not is_there(number)


def test_a_process_that_nobody_holds_any_more_is_gone_even_if_it_spins() -> None:
    process = begun(counting(at_1="spin"))
    process._send(encode_request(features(), None))
    number = pid(process)
    del process
    gc.collect()
    assert not is_there(number)


def test_a_strategy_that_cannot_be_made_says_why() -> None:
    with pytest.raises(ValueError, match="not today"):
        StrategyProcess({"name": f"{UNRULY}:Unmakeable", "how": "refuse"}).greeted()
    with pytest.raises(ValueError, match="process ended with 5 at its start"):
        StrategyProcess({"name": f"{UNRULY}:Unmakeable", "how": "exit"}).greeted()
    with pytest.raises(ValueError, match="strategy 'luck' is unknown"):
        StrategyProcess("luck").greeted()


def test_parameters_that_cannot_go_to_another_process_are_refused() -> None:
    with pytest.raises(ValueError, match="momentum: its parameters cannot go to another process"):
        StrategyProcess({"name": "momentum", "notional": lambda: 1})


# What it prints


def said(data: bytes) -> list[Any]:
    with capture_logs() as logs:
        StrategyOutput("loud", cast("BufferedReader", BufferedReader(BytesIO(data))))
        said_by("loud")
    return [(each["log_level"], each.get("text")) for each in logs]


def said_by(strategy: str) -> None:
    """Wait until all that ``strategy`` has printed is logged: its process has ended."""
    for thread in threading.enumerate():
        if thread.name == f"says-{strategy}":
            thread.join(60)


def test_what_it_prints_is_logged_line_by_line() -> None:
    assert said(b"one\ntwo \x1b[31m\xff\n") == [("info", "one"), ("info", "two \\x1b[31m\\xff")]


def test_more_than_twenty_lines_for_a_decision_are_left_out_and_that_is_told_once() -> None:
    logs = said(b"line\n" * 100_000)
    assert logs[:20] == [("info", "line")] * 20
    assert logs[20:] == [("warning", None)]


def test_a_line_without_an_end_is_cut() -> None:
    assert said(b"x" * 600) == [("info", "x" * 500), ("info", "x" * 100)]


def test_what_it_printed_is_logged_though_it_is_killed_before_it_would_have_written_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with capture_logs() as logs:
        process = begun(counting(at_1="mutter"))
        process.ask(features(), None)
        said_by(f"{UNRULY}:Counting")
    assert [(each["strategy"], each["text"]) for each in logs] == [("counting", "muttered 1")]
    process.close()


def test_one_that_floods_its_output_still_decides() -> None:
    process = begun(counting(at_1="print"))
    assert process.ask(features(), None) == Decision({}, "printed")
    process.close()
