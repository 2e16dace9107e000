"""Arrays with one place for each source, or each pair, and which of the places move on."""

from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IndexArray: TypeAlias = npt.NDArray[np.intp]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

Columns: TypeAlias = slice | IndexArray
"""Which columns move on: ``slice(None)`` where all do, which spares a copy, else their indices in
ascending order. Either indexes an array.
"""

ALL = slice(None)

ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""What numbers about 1 differ by less than, they do not differ by: it is what arithmetic leaves."""


def operand(value: float) -> FloatArray:
    """``value`` as array operations take it at once; of a Python number they make such an array
    anew in every call, which takes as long as the operation on a few columns.
    """
    return np.array(value, dtype=np.float64)


A = TypeVar("A", bound=npt.NDArray[Any])


def read_only(array: A) -> A:
    """``array`` itself, which nobody can write to any more by this name."""
    array.setflags(write=False)
    return array


def within(columns: Columns, mask: BoolArray) -> Columns:
    """Those of ``columns`` where ``mask``, which has a place for each of them, is true."""
    if np.count_nonzero(mask) == len(mask):
        return columns
    places = np.flatnonzero(mask)
    return places if isinstance(columns, slice) else columns[places]


def selected(columns: Columns, count: int) -> BoolArray:
    """A mask over ``count`` columns, true at ``columns``."""
    mask = np.zeros(count, dtype=np.bool_)
    mask[columns] = True
    return mask
