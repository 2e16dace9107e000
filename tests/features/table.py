"""Runs one indicator over a table: a row a set, a cell a source, None where it is not fresh."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from barsync_async.features import Columns, FloatArray, FreshBars, FreshPairs, PairColumns
from barsync_async.units import WallMs

NOON = 1_800_000_000_000
MINUTE = 60_000

Cell = Mapping[str, float] | float | None
FIELDS = ("open", "high", "low", "close", "volume")


def fresh_bars(row: Sequence[Cell], timestamp: int = NOON) -> FreshBars:
    """The cells that are not None; a number is a close, of which all else is made."""
    places = np.flatnonzero([cell is not None for cell in row])
    columns: Columns = slice(None) if len(places) == len(row) else places
    cells = [_full(cell) for cell in row if cell is not None]
    arrays = {field: np.array([cell[field] for cell in cells], dtype=float) for field in FIELDS}
    return FreshBars(WallMs(timestamp), columns, arrays["close"], arrays.__getitem__)


def _full(cell: Mapping[str, float] | float) -> Mapping[str, float]:
    if isinstance(cell, Mapping):
        return dict.fromkeys(FIELDS, cell["close"]) | dict(cell)
    return dict.fromkeys(FIELDS, cell)


def values(arrays: Sequence[FloatArray]) -> list[list[float]]:
    """By column, as numbers that no later set alters."""
    return [list(each) for each in zip(*(array.tolist() for array in arrays), strict=True)]


def run(maker: Any, table: Sequence[Sequence[Cell]], **parameters: Any) -> list[list[list[float]]]:
    """By set and source, the outputs."""
    indicator = maker(len(table[0]), **parameters)
    return [
        values(indicator.update(fresh_bars(row, NOON + place * MINUTE)))
        for place, row in enumerate(table)
    ]


def run_one(maker: Any, cells: Sequence[Cell], **parameters: Any) -> list[float]:
    """By set, the first output of a single source."""
    return [row[0][0] for row in run(maker, [[cell] for cell in cells], **parameters)]


def all_pairs(sources: int) -> PairColumns:
    """Each of so many sources with each that comes after it."""
    lefts, rights = np.triu_indices(sources, 1)
    return PairColumns(lefts, rights, sources)


def run_pairs(
    maker: Any, pairs: PairColumns, table: Sequence[Sequence[Cell]], **parameters: Any
) -> list[list[list[float]]]:
    """By set and pair, the outputs."""
    indicator = maker(pairs, **parameters)
    return [
        values([array.copy() for array in indicator.update(FreshPairs(pairs, fresh_bars(row)))])
        for row in table
    ]


def run_separate(
    maker: Any, table: Sequence[Sequence[tuple[float, float] | None]], **parameters: Any
) -> list[list[list[float]]]:
    """By set and pair, the outputs of pairs that share no source; None where neither is fresh."""
    count = len(table[0])
    lefts = np.arange(0, 2 * count, 2)
    flat = [[cell for pair in row for cell in pair or (None, None)] for row in table]
    return run_pairs(maker, PairColumns(lefts, lefts + 1, 2 * count), flat, **parameters)
