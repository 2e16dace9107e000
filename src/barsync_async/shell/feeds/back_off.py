"""How long to wait before the venue is asked again."""

from random import Random

_FIRST_S = 0.25
_MOST_S = 30.0
_MOST_COUNTED = 16


class BackOff:
    """Full jitter: anything between nothing and a bound that doubles with each failure."""

    def __init__(self, rng: Random) -> None:
        self.failures = 0
        self._rng = rng

    def reset(self) -> None:
        """The venue can be reached."""
        self.failures = 0

    def delay_s(self) -> float:
        """It could not."""
        bound = min(_MOST_S, _FIRST_S * 2**self.failures)
        self.failures = min(self.failures + 1, _MOST_COUNTED)
        return self._rng.uniform(0, bound)

    def repeated_delay_s(self) -> float:
        """It could, but not for long: nothing at the first time."""
        if self.failures:
            return self.delay_s()
        self.failures = 1
        return 0.0
