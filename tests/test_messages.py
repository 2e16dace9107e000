"""What makes a bar impossible, and how input is shown to a person."""

import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import (
    EXCERPT_BYTES,
    Bar,
    Event,
    EventType,
    excerpt,
    flaw,
    frozen_mapping,
)
from barsync_async.testing import create_bar
from barsync_async.units import WallMs

"""For a slow machine, and for the second that the first text of all takes to generate."""

NOON = WallMs(1_800_000_000_000)


def bar(
    *,
    open: float = 2.0,  # noqa: A002 - the bar's field
    high: float = 4.0,
    low: float = 1.0,
    close: float = 3.0,
    volume: float = 5.0,
) -> Bar:
    return Bar("SPY", "1m", NOON, open, high, low, close, volume)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"open": 1.0, "close": 4.0},
        {"open": 4.0, "close": 1.0},
        {"open": 2.0, "high": 2.0, "low": 2.0, "close": 2.0},
        {"volume": 0.0},
        {"volume": -0.0},
        {"low": -37.63, "open": 0.0, "close": -1.0},
        {"high": 1e15},
    ],
)
def test_a_possible_bar_has_no_flaw(values: dict[str, float]) -> None:
    assert flaw(bar(**values)) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"open": 0.5}, "open 0.5 or close 3.0 is outside low 1.0 to high 4.0"),
        ({"close": 4.5}, "open 2.0 or close 4.5 is outside low 1.0 to high 4.0"),
        ({"low": 5.0}, "open 2.0 or close 3.0 is outside low 5.0 to high 4.0"),
        ({"high": 1.1e15}, "a price is beyond 1e+15"),
        ({"low": -1.1e15}, "a price is beyond 1e+15"),
        ({"volume": -1.0}, "volume -1.0 is not a number of at least 0"),
        ({"volume": math.nan}, "volume nan is not a number of at least 0"),
        ({"volume": math.inf}, "volume inf is not a number of at least 0"),
    ],
)
def test_a_flaw_is_told_with_the_values_that_make_it(
    values: dict[str, float], expected: str
) -> None:
    assert flaw(bar(**values)) == expected


@pytest.mark.parametrize("field", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_price_that_is_no_number_is_a_flaw(field: str, value: float) -> None:
    assert flaw(bar(**{field: value})) == "a price is not a finite number"


@given(*[st.floats()] * 5)
def test_a_bar_without_flaw_is_finite_throughout_and_within_its_range(
    open_: float, high: float, low: float, close: float, volume: float
) -> None:
    looked_at = bar(open=open_, high=high, low=low, close=close, volume=volume)
    possible = (
        all(map(math.isfinite, (open_, high, low, close, volume)))
        and low <= min(open_, close)
        and max(open_, close) <= high
        and volume >= 0
        and low >= -1e15
        and high <= 1e15
    )
    assert (flaw(looked_at) is None) == possible


any_text = st.text(st.characters(exclude_categories=()), max_size=2 * EXCERPT_BYTES)
any_bytes = st.binary(max_size=2 * EXCERPT_BYTES)


@given(st.one_of(any_text, any_bytes))
def test_an_excerpt_is_at_most_512_printable_ascii_characters(raw: str | bytes) -> None:
    shown = excerpt(raw)
    assert len(shown) <= 512
    assert shown.isascii()
    assert shown == "" or shown.isprintable()


@given(st.one_of(any_text, any_bytes))
def test_an_excerpt_is_the_beginning_of_what_it_shows(raw: str | bytes) -> None:
    encoded = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass")
    assert ascii(encoded)[2:-1].startswith(excerpt(raw))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("", ""),
        (b"", ""),
        ("plain", "plain"),
        ("it's", "it's"),
        ('say "it"', 'say "it"'),
        (b"\x00\n\xff", r"\x00\n\xff"),
        ("\u20ac\n", r"\xe2\x82\xac\n"),
        ("\ud800", r"\xed\xa0\x80"),
        ("x" * 1_000_000, "x" * 512),
        ("\u20ac" * 1_000, r"\xe2\x82\xac" * 42 + r"\xe2\x82"),
    ],
)
def test_an_excerpt_escapes_what_cannot_be_read(raw: str | bytes, shown: str) -> None:
    assert excerpt(raw) == shown


def test_a_bar_knows_its_source() -> None:
    assert create_bar("BTC/USD_5m", NOON).source == "BTC/USD_5m"


def test_messages_cannot_be_altered() -> None:
    looked_at: Any = bar()
    event: Any = Event(EventType.BAR, looked_at)
    for message, field in ((looked_at, "close"), (event, "payload")):
        with pytest.raises((AttributeError, FrozenInstanceError)):
            setattr(message, field, 1.0)


def test_a_frozen_mapping_can_be_read_but_not_written() -> None:
    mapping: Any = frozen_mapping({"a": 1})
    assert dict(mapping) == {"a": 1}
    with pytest.raises(TypeError):
        mapping["a"] = 2


def test_an_events_type_is_its_name() -> None:
    assert all(each.value == each.name for each in EventType)
