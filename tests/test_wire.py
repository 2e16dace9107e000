"""Lines on the wire: their fields, by the contract's own table, and JSON whatever they hold."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import (
    Bar,
    BarRejected,
    Event,
    EventType,
    Features,
    Gap,
    LateBar,
    PortfolioUpdate,
    Signal,
    StrategyFault,
    SynchronizedBars,
    SyncSkipped,
    frozen_mapping,
)
from barsync_async.units import SourceId, WallMs
from barsync_async.wire import encode, encode_lines

NOON = WallMs(1_800_000_000_000)
SPY, QQQ = SourceId("SPY_1m"), SourceId("QQQ_1m")
BAR = Bar("SPY", "1m", NOON, 1.0, 2.0, 0.5, 1.5, 100.0)

SET = SynchronizedBars(
    timestamp=NOON,
    status="partial",
    bars=frozen_mapping({SPY: BAR}),
    sources_present=(SPY,),
    sources_missing=(QQQ,),
    wait_ms=12.5,
    loop_lag_ms=0.0,
)
PAYLOADS: dict[EventType, Any] = {
    EventType.SYNCHRONIZED_BARS: SET,
    EventType.SYNCHRONIZED_BARS_REVISED: SET,
    EventType.SYNC_SKIPPED: SyncSkipped(
        timestamp=NOON,
        reason="warmup",
        sources_present=(SPY,),
        sources_missing=(QQQ,),
        wait_ms=100.0,
    ),
    EventType.LATE_BAR: LateBar(timestamp=NOON, bar=BAR, late_by_ms=3.25, action="dropped"),
    EventType.BAR_REJECTED: BarRejected(
        timestamp=NOON, reason="malformed", feed="sim", detail="no JSON"
    ),
    EventType.FEATURES: Features(
        timestamp=NOON,
        features=frozen_mapping(
            {
                "SPY_1m": frozen_mapping({"sma": 1.5, "rsi": math.nan}),
                "correlation": frozen_mapping({"QQQ_1m|SPY_1m": math.nan}),
            }
        ),
        bars=frozen_mapping({SPY: BAR}),
    ),
    EventType.SIGNAL: Signal(
        timestamp=NOON, strategy="momentum", targets=frozen_mapping({"SPY": 3.0}), reason="1 long"
    ),
    EventType.PORTFOLIO: PortfolioUpdate(
        timestamp=NOON,
        version=1,
        positions=frozen_mapping({"SPY": 3.0}),
        cash=5.0,
        equity=9.5,
        applied=("momentum",),
    ),
    EventType.STRATEGY_FAULT: StrategyFault(
        timestamp=NOON, strategy="pairs", kind="late", detail="no decision", action="restarted"
    ),
    EventType.GAP: Gap(timestamp=NOON, subscriber="slow", first_seq=1, last_seq=3, events_lost=3),
}
NOT_MADE_YET = {EventType.SOURCE_STATUS, EventType.CLOCK_STEP}

HEAD = ["type", "container", "seq", "timestamp"]
FIELDS = {
    EventType.SYNCHRONIZED_BARS: (
        "revision status bars sources_present sources_missing wait_ms loop_lag_ms"
    ),
    EventType.SYNC_SKIPPED: "reason sources_present sources_missing wait_ms",
    EventType.LATE_BAR: "bar late_by_ms action",
    EventType.BAR_REJECTED: "reason feed detail",
    EventType.FEATURES: "revision features bars",
    EventType.SIGNAL: "strategy targets reason depends_on_version",
    EventType.PORTFOLIO: (
        "version depends_on_version positions cash equity peak drawdown costs turnover "
        "gross_exposure net_exposure applied stale waited refused"
    ),
    EventType.STRATEGY_FAULT: "strategy kind detail action rest_sets",
    EventType.GAP: "subscriber first_seq last_seq events_lost",
}
FIELDS[EventType.SYNCHRONIZED_BARS_REVISED] = FIELDS[EventType.SYNCHRONIZED_BARS]


def line(event_type: EventType, payload: Any, container: str = "agg", seq: int = 7) -> Any:
    encoded = encode(Event(event_type, payload, container, seq))
    assert b"\n" not in encoded
    return json.loads(encoded, parse_constant=pytest.fail)  # NaN, Infinity are no JSON


def test_every_event_that_goes_out_is_looked_at_here() -> None:
    assert PAYLOADS.keys() == FIELDS.keys()
    assert PAYLOADS.keys() | NOT_MADE_YET | {EventType.BAR} == {*EventType}


@pytest.mark.parametrize("event_type", PAYLOADS, ids=lambda each: each.value)
def test_a_line_has_the_very_fields_of_the_contract_in_one_order(event_type: EventType) -> None:
    fields = line(event_type, PAYLOADS[event_type])
    assert list(fields) == [*HEAD, *FIELDS[event_type].split()]
    assert (fields["type"], fields["container"], fields["seq"], fields["timestamp"]) == (
        event_type.value,
        "agg",
        7,
        NOON,
    )


def test_a_set_shows_its_cells_as_tables() -> None:
    fields = line(EventType.SYNCHRONIZED_BARS, SET)
    assert fields["bars"] == {
        "SPY_1m": {
            "symbol": "SPY",
            "timeframe": "1m",
            "timestamp": NOON,
            "open": 1.0,
            "high": 2.0,
            "low": 0.5,
            "close": 1.5,
            "volume": 100.0,
            "provenance": "fresh",
            "age_ms": 0,
        }
    }
    assert (fields["sources_present"], fields["sources_missing"]) == (["SPY_1m"], ["QQQ_1m"])


def test_a_late_bar_is_shown_like_a_cell() -> None:
    fields = line(EventType.LATE_BAR, PAYLOADS[EventType.LATE_BAR])
    assert list(fields["bar"]) == list(line(EventType.SYNCHRONIZED_BARS, SET)["bars"]["SPY_1m"])


def test_what_is_no_number_is_null() -> None:
    fields = line(EventType.FEATURES, PAYLOADS[EventType.FEATURES])
    assert fields["features"] == {
        "SPY_1m": {"sma": 1.5, "rsi": None},
        "correlation": {"QQQ_1m|SPY_1m": None},
    }


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_infinity_is_null_too_for_json_has_none(value: float) -> None:
    payload = Signal(timestamp=NOON, strategy="s", targets={"SPY": value}, reason="")
    assert line(EventType.SIGNAL, payload)["targets"] == {"SPY": None}


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\r\n", "\x00", "\x1b[0m", "\u2028", "é", "😀"])
def test_any_text_is_escaped_and_comes_back_whole(text: str) -> None:
    payload = Signal(timestamp=NOON, strategy=text, targets={text: 1.0}, reason=text)
    fields = line(EventType.SIGNAL, payload, container=text)
    assert (fields["container"], fields["strategy"], fields["reason"]) == (text, text, text)
    assert fields["targets"] == {text: 1.0}


def test_lines_end_each_with_a_line_feed_and_keep_their_order() -> None:
    events = [Event(EventType.GAP, PAYLOADS[EventType.GAP], "agg", seq) for seq in (1, 2, 3)]
    encoded = encode_lines(events)
    assert encoded.endswith(b"}\n")
    assert [json.loads(each)["seq"] for each in encoded.splitlines()] == [1, 2, 3]
    assert encode_lines([]) == b""


def test_each_event_shows_its_own_bars_whoever_else_has_them() -> None:
    def of(close: float) -> SynchronizedBars:
        bar = msgspec.structs.replace(BAR, close=close)
        return msgspec.structs.replace(SET, bars=frozen_mapping({SPY: bar}))

    def features(bars: SynchronizedBars) -> Features:
        return Features(timestamp=NOON, features=frozen_mapping({}), bars=bars.bars)

    first, second = of(1.25), of(1.75)
    payloads = [first, features(first), second, features(first), features(second), second]
    events = [Event(EventType.FEATURES, payload) for payload in payloads]
    closes = [json.loads(each)["bars"]["SPY_1m"]["close"] for each in map(encode, events)]
    assert closes == [1.25, 1.25, 1.75, 1.25, 1.75, 1.75]


def test_what_has_no_form_on_the_wire_is_refused_by_its_name() -> None:
    payload = Signal(timestamp=NOON, strategy="s", targets={"SPY": 1j}, reason="")  # type: ignore[dict-item]  # the point
    with pytest.raises(NotImplementedError, match="complex has no form on the wire"):
        encode(Event(EventType.SIGNAL, payload))


texts = st.text(max_size=10)
numbers = st.floats()


def on_the_wire(value: Any) -> Any:
    """What JSON makes of a value."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: on_the_wire(each) for key, each in value.items()}
    return value


@given(
    texts,
    st.integers(0, 2**63 - 1),
    st.dictionaries(texts, st.dictionaries(texts, numbers, max_size=3), max_size=3),
    st.builds(
        Bar,
        texts,
        texts,
        st.integers(0, 2**53),
        *[numbers] * 5,
        backfilled=st.sampled_from([True, msgspec.UNSET]),
    ),
)
def test_whatever_an_event_holds_json_gives_back(
    container: str, seq: int, features: dict[str, dict[str, float]], bar: Bar
) -> None:
    inner = {key: frozen_mapping(values) for key, values in features.items()}
    payload = Features(
        timestamp=NOON, features=frozen_mapping({**inner}), bars=frozen_mapping({bar.source: bar})
    )
    fields = line(EventType.FEATURES, payload, container, seq)
    assert (fields["container"], fields["seq"]) == (container, seq)
    assert fields["features"] == on_the_wire(features)
    shown = {name: getattr(bar, name) for name in Bar.__struct_fields__}
    if bar.backfilled is msgspec.UNSET:
        del shown["backfilled"]
    assert fields["bars"] == {bar.source: on_the_wire(shown)}


@given(st.dictionaries(texts, numbers), numbers, numbers, st.lists(texts))
def test_whatever_a_portfolio_holds_json_gives_back(
    positions: dict[str, float], cash: float, equity: float, applied: list[str]
) -> None:
    payload = PortfolioUpdate(
        timestamp=NOON,
        version=1,
        positions=frozen_mapping(dict(positions)),
        cash=cash,
        equity=equity,
        applied=tuple(applied),
    )
    fields = line(EventType.PORTFOLIO, payload)
    assert fields["positions"] == on_the_wire(positions)
    assert (fields["cash"], fields["equity"]) == (on_the_wire(cash), on_the_wire(equity))
    assert fields["applied"] == applied
