"""The table of features on the wire, against the plain dicts of the same content."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.features.table import FeatureTable, Values

Encode = Callable[[object], bytes]

names = st.lists(st.text(st.characters(codec="utf-8"), max_size=4), min_size=1, unique=True)


def table(indicators: list[str], sources: int) -> FeatureTable:
    values = np.random.default_rng(3).normal(size=(len(indicators), sources))
    values[0, 0] = np.nan
    columns = {f"S{number}_1m": number for number in range(sources)}
    rows = {name: row for row, name in enumerate(indicators)}
    across = {"correlation": Values({"A|B": 0}, np.array([0.5]))}
    return FeatureTable(columns, rows, values, across)


@pytest.mark.parametrize("encode", [msgspec.json.encode, msgspec.msgpack.encode])
@given(names, st.integers(1, 3))
def test_it_is_written_as_plain_dicts_are_whatever_the_names(
    encode: Encode, indicators: list[str], sources: int
) -> None:
    given_table = table(indicators, sources)
    assert encode(given_table.encodable()) == encode(given_table.copy())


def test_one_without_indicators_by_source_has_what_compares_them() -> None:
    empty = FeatureTable({}, {}, np.empty((0, 3)), {"beta": Values({"A|B": 0}, np.array([2.0]))})
    assert empty.encodable() == {"beta": {"A|B": 2.0}}
