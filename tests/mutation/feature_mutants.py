"""Small mistakes in what moves an indicator on, in its sums, and in what a revision replays."""

from tests.mutation.mutant import mutants_of

FEATURE_MUTANTS = (
    *mutants_of(
        "features/fresh_bars",
        (
            "a cell that is not fresh is an observation",
            'if cell is not None and cell.provenance == "fresh"]',
            "if cell is not None]",
        ),
        (
            "a close that is no number counts",
            "good = np.isfinite(closes)",
            "good = closes == closes",
        ),
        (
            "cells are taken for those of our sources",
            "if [*bars] == self._sources:",
            "if len(bars) == len(self._sources):",
        ),
    ),
    *mutants_of(
        "features/fresh_pairs",
        (
            "one fresh source moves a pair on",
            "fresh[self._pairs.lefts] & fresh[self._pairs.rights]",
            "fresh[self._pairs.lefts] | fresh[self._pairs.rights]",
        ),
    ),
    *mutants_of(
        "features/cursor",
        (
            "columns that part are not noticed",
            "alike = bool((self._next == self._next[0]).all())",
            "alike = True",
        ),
        (
            "columns forget where they stood together",
            "            self._next[:] = self._common\n",
            "            self._next[:] = 0\n",
        ),
    ),
    *mutants_of(
        "features/rolling_sum",
        (
            "the head is not begun anew",
            "np.where(rows == 0, 0.0, self._head[columns])",
            "self._head[columns]",
        ),
        (
            "the common head is not begun anew",
            "            self._head.fill(0.0)\n",
            "            pass\n",
        ),
        (
            "a full block stays as it is",
            "within(columns, rows + 1 == self._window)",
            "within(columns, rows == self._window)",
        ),
    ),
    *mutants_of(
        "features/smoothed_average",
        (
            "warm a value too early",
            "self._counts == self._window",
            "self._counts >= self._window - 1",
        ),
        (
            "one warm column makes all warm",
            "counts.min() == self._window",
            "counts.max() == self._window",
        ),
        (
            "those that moved on speak for all",
            "counts.size == self._counts.size and ",
            "",
        ),
    ),
    *mutants_of(
        "features/previous",
        ("the former close is kept", "        self._values[columns] = values\n", ""),
        ("the bars' own array is written to", "self._values = self._values.copy()", "pass"),
    ),
    *mutants_of(
        "features/rsi",
        (
            "no move has no share",
            "np.maximum(gain + averages[1], _LEAST)",
            "(gain + averages[1])",
        ),
        ("little is taken for nothing", "np.finfo(np.float64).tiny", "1e-14"),
    ),
    *mutants_of(
        "features/table",
        ("any name is one of a struct", "    if any(character", "    if False and any(character"),
    ),
    *mutants_of(
        "features/macd",
        ("the fast average begins at once", "np.full(columns, slow - fast)", "np.full(columns, 0)"),
        (
            "the line is told before its signal",
            "np.where(np.isnan(signal), np.nan, self._macd)",
            "self._macd",
        ),
    ),
    *mutants_of(
        "features/vwap",
        (
            "the bar that ends a day begins one",
            "bars.timestamp - 1 - self",
            "bars.timestamp - self",
        ),
        (
            "a new day goes on with the old sums",
            "is_same = self._day[bars.columns] == day",
            "is_same = day == day",
        ),
    ),
    *mutants_of(
        "features/pair_returns",
        (
            "nobody parts",
            "        if not fresh.all():\n",
            "        if not fresh.any():\n",
        ),
        (
            "a pair rejoins too early",
            "is_whole = self._in_a_row > self._window",
            "is_whole = self._in_a_row >= self._window",
        ),
        ("who has parted parts again", "        waiting[self._parted.pairs] = False\n", ""),
    ),
    *mutants_of(
        "features/parted_pairs",
        ("a pair's last closes are kept", "            previous[moving] = logs[moving]\n", ""),
        ("its rows do not move on", "(rows + 1) % self._window", "rows % self._window"),
    ),
    *mutants_of(
        "features/replay",
        (
            "a revision is put beside the set",
            "sets[place : place + stood]",
            "sets[place:place]",
        ),
        (
            "later states are not corrected",
            "self._parts[place:] = [_Part(first.before, first.after)]",
            "first.sets = []",
        ),
        (
            "the replay spoils where it begins",
            "Rewound(first.before.copy(), sets)",
            "Rewound(first.before, sets)",
        ),
        ("a part too few is kept", "in self._parts[1:]) >=", "in self._parts) >="),
        ("no part is forgotten", "            del self._parts[0]", "            pass"),
        (
            "sets are remembered too long ago",
            "part.after < timestamp",
            "part.after <= timestamp + 10**6",
        ),
    ),
    *mutants_of(
        "features/bank",
        ("a copy shares its indicators", "deepcopy(self._of_source)", "self._of_source"),
        (
            "a copy shares what compares",
            "each._replace(indicator=deepcopy(each.indicator))",
            "each",
        ),
    ),
    *mutants_of(
        "features/cointegration",
        (
            "a result is told a set early",
            "_p_values, self._in_order())), self._lag)",
            "_p_values, self._in_order())), self._lag - 1 or 1)",
        ),
        (
            "the window is not in order",
            "rows = (self._count[:, None] + np",
            "rows = (0 * self._count[:, None] + np",
        ),
        (
            "every set begins a test",
            "if period != self._period and self._job is None:",
            "if self._job is None:",
        ),
    ),
)
