"""Parameters of indicators as they come from a config, refused where they make no sense."""

import math

MOST_BARS = 10_000
"""The longest window."""


def check_window(window: object, *, minimum: int, name: str = "window") -> None:
    """Raises ValueError unless ``window`` is a whole number from ``minimum`` to 10,000."""
    is_whole = isinstance(window, int) and not isinstance(window, bool)
    if not is_whole or not minimum <= window <= MOST_BARS:  # type: ignore[operator]
        raise ValueError(
            f"{name} = {window!r}: expected a whole number from {minimum} to {MOST_BARS}"
        )


def check_above_0(name: str, value: object) -> None:
    """Raises ValueError unless ``value`` is a finite number above 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:  # type: ignore[operator]
        raise ValueError(f"{name} = {value!r}: expected a number above 0")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} = {value!r}: expected one of {' '.join(choices)}")
