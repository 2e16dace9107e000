"""Parameters as they come from a config, refused where they make no sense."""

import math
from collections.abc import Callable, Mapping


def check_label(name: str, value: object) -> None:
    """Raises ValueError unless ``value`` is a name."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} = {value!r}: expected a name")


def check_labels(name: str, value: object) -> None:
    """Raises ValueError unless ``value`` is a list of names."""
    is_list = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    if not is_list:
        raise ValueError(f"{name} = {value!r}: expected a list of names")


def check_flag(name: str, value: object) -> None:
    """Raises ValueError unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {value!r}: expected true or false")


def check_positive(name: str, value: object) -> None:
    """Raises ValueError unless ``value`` is a finite number above 0."""
    if not _is_number(value) or not value > 0:  # type: ignore[operator]  # it is a number
        raise ValueError(f"{name} = {value!r}: expected a number above 0")


def check_order(expected: str, values: Mapping[str, float], in_order: Callable[..., bool]) -> None:
    """Raises ValueError unless ``values`` are finite numbers of which ``in_order`` is true."""
    if not all(map(_is_number, values.values())) or not in_order(*values.values()):
        given = ", ".join(f"{name} = {value!r}" for name, value in values.items())
        raise ValueError(f"{given}: expected {expected}")


def _is_number(value: object) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value)  # type: ignore[arg-type]  # it is a number
