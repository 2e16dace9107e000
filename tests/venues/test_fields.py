"""Moments in text."""

import pytest

from barsync_async.venues.fields import rfc3339_ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2021-02-22T19:15:00Z", 1_614_021_300_000),
        ("2021-02-22T19:15:00.1Z", 1_614_021_300_100),
        ("2021-02-22T19:15:00.000000Z", 1_614_021_300_000),
        ("2021-02-22T19:15:00.001999999Z", 1_614_021_300_001),
        ("2021-02-22T14:15:00-05:00", 1_614_021_300_000),
    ],
)
def test_a_moment_has_none_to_nine_digits_of_a_second(text: str, ms: int) -> None:
    assert rfc3339_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2021-02-22T19:15:00",
        "1969-12-31T23:59:59.999Z",
        "2021-13-01T00:00:00Z",
        "9" * 99,
    ],
)
def test_what_is_no_moment_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each in its own words
        rfc3339_ms(text)
