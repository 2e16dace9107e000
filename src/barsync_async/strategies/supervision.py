"""When a strategy that failed is asked again, counted in sets so that every run does it alike."""

_MOST_DOUBLINGS = 6


class Supervision:
    """Follows one strategy from set to set.

    After its first fault in a row a strategy is asked about the very next set; after the second it
    rests for 1 set, then for 3, 7, 15, at most 63; after ``max_faults`` it is left off for good.
    A decision ends the row.

    Args:
        max_faults: in a row, after which a strategy is left off; 0: it never is.
    """

    def __init__(self, max_faults: int) -> None:
        self._max_faults = max_faults
        self._faults = 0
        self._rest_sets: int | None = 0

    @property
    def is_left_off(self) -> bool:
        """Whether it will not be asked any more."""
        return self._rest_sets is None

    def next_set(self) -> bool:
        """Another set is there: whether the strategy is asked about it."""
        if self._rest_sets is None:
            return False
        if self._rest_sets:
            self._rest_sets -= 1
            return False
        return True

    def decided(self) -> None:
        """It gave a decision."""
        self._faults = 0

    def failed(self) -> int | None:
        """It gave none. Returns how many of the next sets it rests for; None: of all."""
        self._faults += 1
        if self._faults == self._max_faults:
            self._rest_sets = None
        else:
            self._rest_sets = 2 ** min(self._faults - 1, _MOST_DOUBLINGS) - 1
        return self._rest_sets
