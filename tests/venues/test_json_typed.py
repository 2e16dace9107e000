"""The typed reader of simple JSON formats gives what the general one gives, and never more."""

import json
from typing import Any

import msgspec
import pytest
from tests.fuzz.mutation import Mutator
from tests.venues.json_feed import FORMAT
from tests.venues.test_json import NUMBERS, OPEN, house, plain, received, row, session

from barsync_async.messages import Bar
from barsync_async.venues.json import JsonSession
from barsync_async.venues.json_format import JsonFormat, JsonMatch
from barsync_async.venues.outcomes import Rejection, Running

CHART = JsonMatch("e", "bar")
FINAL = JsonMatch("x", equals=True)
CLOSED = JsonMatch("x", "closed")

SIMPLE: dict[str, tuple[JsonFormat, list[Any]]] = {
    "of this project": (
        FORMAT,
        [house(), house(final=False), house(final=1), {"type": "bars", "bars": []}],
    ),
    "a bar a message": (plain(), [row(), row(t=str(OPEN)), row(o="1.5"), row(s=7)]),
    "running bars": (plain(finality="later bar or clock"), [row(), row(v="7.0")]),
    "nested, the symbol beside it": (
        plain(bars="data.k", symbol="$.s", final=CLOSED, finality="-"),
        [{"s": "SPY", "data": {"k": row(x=each)}} for each in ("closed", "open", 1, None)],
    ),
    "many, both names beside them": (
        plain(
            bars="k[]",
            symbol="$.s",
            timeframe="$.i",
            fixed_timeframe="-",
            only=CHART,
            final=FINAL,
            finality="-",
        ),
        [
            {"e": "bar", "s": "SPY", "i": "1m", "k": [row(x=True), row(x=False)]},
            {"e": "bar", "s": "SPY", "i": "1m", "k": [row(x=False)]},
            {"e": "bar", "s": "QQQ", "i": "1m", "k": [row(x=True)] * 3},
            {"e": "trade", "s": "SPY", "i": "1m", "k": [row(x=True)]},
        ],
    ),
    "moments as texts": (
        plain(time_unit="iso", time_label="close"),
        [row(t="2023-01-01T00:03:00Z"), row(t=OPEN), row(t="2023-01-01T00:03:00")],
    ),
    "seconds": (plain(time_unit="s"), [row(t=OPEN // 1_000), row(t=f"{OPEN / 1_000}")]),
    "nanoseconds": (plain(time_unit="ns"), [row(t=OPEN * 1_000_000), row(t=f"{OPEN}000000")]),
}

ELSEWHERE: dict[str, JsonFormat] = {
    "frames of many messages": plain(frame="array"),
    "rows": plain(symbol="$.s", bars="k[]", time="0", open="1"),
    "bars within arrays within arrays": plain(bars="data[].k[]"),
    "a field further in": plain(volume="v.base"),
    "a price beside the bars": plain(bars="k[]", volume="$.v"),
    "one name for two fields": plain(high="h", low="h"),
    "timeframes that are numbers": plain(
        fixed_timeframe="-", timeframe="i", timeframe_names={"1m": 1}
    ),
}


def holds_what_nobody_reads(frame: bytes) -> bool:
    """Bytes that are no text, or a number of thousands of digits."""
    try:
        msgspec.json.decode(frame)
    except ValueError:
        return True
    return False


def general(format_: JsonFormat) -> JsonSession:
    made = session(format_, "SPY_1m", "QQQ_1m")
    made._typed = None
    return made


@pytest.mark.parametrize("name", SIMPLE)
def test_it_gives_what_the_general_reader_gives(name: str) -> None:
    format_, messages = SIMPLE[name]
    typed, plain_reader = session(format_, "SPY_1m", "QQQ_1m"), general(format_)
    assert typed._typed is not None
    texts = [json.dumps(each) for each in messages]
    mutator = Mutator(11, texts)
    frames = [text.encode() for text in texts] + [mutator.mutant() for _ in range(1_500)]
    read = 0
    for frame in frames:
        read += typed._typed.read(frame) is not None
        expected = list(plain_reader.receive(frame))
        if list(typed.receive(frame)) != expected:
            assert holds_what_nobody_reads(frame), frame  # where the typed reader does not look
            assert [each.reason for each in expected if isinstance(each, Rejection)] == [
                "malformed"
            ]
    assert read > 50


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_format_that_is_not_simple_is_left_to_the_general_reader(name: str) -> None:
    assert session(ELSEWHERE[name], "SPY_1m")._typed is None


def test_text_and_bytes_are_read_alike() -> None:
    for final in (True, False):
        text = json.dumps(house(final=final))
        assert session().receive(text) == session().receive(text.encode())


def test_every_bar_of_a_frame_is_read_and_the_running_ones_left_out() -> None:
    rows = [row(t=OPEN + minute * 60_000, x=minute != 1) for minute in range(3)]
    format_ = plain(bars="k[]", final=FINAL, finality="-")
    items = received({"k": rows}, format_)
    assert [each.timestamp for each in items if isinstance(each, Bar)] == [
        OPEN + 60_000,
        OPEN + 3 * 60_000,
    ]
    assert len(items) == 2


def test_a_symbol_beside_the_bars_names_them_all() -> None:
    rows = [{"t": OPEN + minute * 60_000} | NUMBERS for minute in range(2)]
    format_ = plain(bars="k[]", symbol="$.s", finality="later bar or clock")
    items = received({"s": "SPY", "k": rows}, format_)
    assert [each.bar.source for each in items if isinstance(each, Running)] == ["SPY_1m"] * 2
