"""What a synchronizer cannot be told to do."""

import math
from typing import Any

import pytest

from barsync_async.core.spec import SynchronizerSpec
from barsync_async.units import SourceId


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("missing", "last-known", "expected one of skip last_known interpolate"),
        ("late", "keep", "expected one of drop amend"),
        ("deadline_from", "open", "expected one of first_bar close"),
        *(
            (field, value, "expected a number of at least 0")
            for field in ("timeout_ms", "min_wait_ms", "hold_ms", "allowed_lateness_ms")
            for value in (-1, math.nan, math.inf)
        ),
        ("max_age_ms", -1, "expected a number of at least 0"),
        ("idle_after", -1, "expected a number of at least 0"),
        ("max_future_ms", -1, "expected a number of at least 0"),
        ("max_open", 0, "expected a number of at least 1"),
        ("history", -1, "expected a number of at least 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(field: str, value: Any, expected: str) -> None:
    options: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=f"^{field} = {value!r}: {expected}$"):
        SynchronizerSpec(expected_sources=frozenset({SourceId("SPY_1m")}), **options)
