"""Logs go to standard error, in one form, and never without bound."""

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict
from tests.app.test_progress import Terminal

from barsync_async.app.logging import RateLimit, set_up_logging, tell_left_out
from barsync_async.ports import TimerHandle
from barsync_async.units import NS_PER_MS, Instant, MonoNs

PERIOD_NS = 10_000 * NS_PER_MS


class HandClock:
    """Shows what it was set to."""

    def __init__(self) -> None:
        self.mono = 0

    def now(self) -> Instant:
        return Instant.of(self.mono, self.mono)

    def slept_ns(self) -> int:
        return 0

    def call_at(self, when: MonoNs, callback: Callable[[], None]) -> TimerHandle:
        raise NotImplementedError


def passed(limit: RateLimit, level: str = "warning", **event: Any) -> EventDict | None:
    try:
        return limit(None, level, event)
    except structlog.DropEvent:
        return None


def test_a_message_passes_ten_times_a_period() -> None:
    limit = RateLimit(HandClock())
    got = [passed(limit, event="rejected") for _ in range(25)]
    assert got == [{"event": "rejected"}] * 10 + [None] * 15


def test_the_first_of_the_next_period_says_how_many_were_left_out() -> None:
    clock = HandClock()
    limit = RateLimit(clock)
    for _ in range(25):
        passed(limit, event="rejected")
    clock.mono = PERIOD_NS - 1
    assert passed(limit, event="rejected") is None
    clock.mono = PERIOD_NS
    assert passed(limit, event="rejected") == {"event": "rejected", "left_out": 16}
    assert passed(limit, event="rejected") == {"event": "rejected"}


def test_nothing_is_said_to_be_left_out_where_nothing_was() -> None:
    clock = HandClock()
    limit = RateLimit(clock)
    for _ in range(10):
        passed(limit, event="rejected")
    clock.mono = PERIOD_NS
    assert passed(limit, event="rejected") == {"event": "rejected"}


def test_a_quiet_period_starts_the_count_anew() -> None:
    clock = HandClock()
    limit = RateLimit(clock)
    for moment in range(0, 100 * PERIOD_NS, PERIOD_NS // 2):
        clock.mono = moment
        assert passed(limit, event="connected") == {"event": "connected"}


NAMES = ("feed", "reason", "container", "strategy", "output", "name", "component")


@pytest.mark.parametrize("part", ["event", *NAMES])
def test_messages_of_another_text_or_that_name_another_are_counted_apart(part: str) -> None:
    limit = RateLimit(HandClock())
    same = {"event": "e", **dict.fromkeys(NAMES, "x")}
    for _ in range(11):
        last = passed(limit, **same)
    assert last is None
    assert passed(limit, **same | {part: "other"}) is not None


def test_messages_that_differ_in_detail_only_are_the_same() -> None:
    limit = RateLimit(HandClock())
    got = [passed(limit, event="rejected", detail=number) for number in range(11)]
    assert got[10] is None


def test_what_a_strategy_prints_always_passes() -> None:
    limit = RateLimit(HandClock())
    assert all(passed(limit, event="strategy says", strategy="s") for _ in range(50))


def test_at_the_end_it_tells_what_nothing_else_told(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "info", HandClock())
    log = structlog.get_logger("barsync")
    for _ in range(25):
        log.warning("rejected", feed="sim", detail="nothing")
    log.warning("rejected", feed="other")
    tell_left_out()
    tell_left_out()
    *_, last = map(json.loads, capsys.readouterr().err.splitlines())
    told = {"event": "repeated", "message": "rejected", "feed": "sim", "left_out": 15}
    assert last.items() >= told.items()
    assert "reason" not in last


def test_however_many_texts_there_are_the_memory_for_them_is_bounded() -> None:
    limit = RateLimit(HandClock())
    for number in range(5_000):
        assert passed(limit, event=str(number)) is not None
    assert len(limit._periods) <= 1_024


def test_json_logs_are_one_object_a_line_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("json", "info", HandClock())
    log = structlog.get_logger("barsync")
    log.info("connected", feed="sim", sources=3)
    log.warning("rejected", detail="a\nb\x1b[0m")
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = map(json.loads, captured.err.splitlines())
    assert first.items() >= {"event": "connected", "feed": "sim", "sources": 3}.items()
    assert first["level"] == "info"
    assert (second["level"], second["detail"]) == ("warning", "a\nb\x1b[0m")


def test_an_exception_is_told_within_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "info", HandClock())
    log = structlog.get_logger("barsync")
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        log.exception("broken")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: integer division" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_logged(
    level: str, kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("json", level, HandClock())
    log = structlog.get_logger("barsync")
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("said")
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["level"] for line in lines] == kept


def test_console_logs_are_lines_without_colour_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("console", "info", HandClock())
    structlog.get_logger("barsync").info("connected", feed="sim")
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert "connected" in line
    assert "feed=sim" in line
    assert "\x1b" not in line


def test_the_limit_holds_for_what_is_really_logged(capsys: pytest.CaptureFixture[str]) -> None:
    clock = HandClock()
    set_up_logging("json", "info", clock)
    log = structlog.get_logger("barsync")
    for number in range(12):
        log.warning("rejected", feed="sim", detail=number)
    clock.mono = PERIOD_NS
    log.warning("rejected", feed="sim")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) == 11
    assert lines[-1]["left_out"] == 2


def test_on_a_terminal_a_line_takes_the_place_of_a_progress_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    set_up_logging("console", "info", HandClock())
    terminal.write("50 % of all, 3 sets/s")
    structlog.get_logger("barsync").info("signal")
    assert terminal.getvalue().startswith("50 % of all, 3 sets/s\r\x1b[K")


@pytest.mark.filterwarnings("default")
def test_what_python_warns_of_stands_in_the_log_in_its_form(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("json", "info", HandClock())
    warnings.warn("hardly any move", RuntimeWarning, stacklevel=1)
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    told = {"event": "python", "level": "warning", "category": "RuntimeWarning"}
    assert line.items() >= {**told, "text": "hardly any move"}.items()
    assert line["at"].startswith("test_logging.py:")
