"""Small mistakes in what bars are made of trades, told apart and restricted by their conditions."""

from tests.mutation.mutant import mutants_of

TRADE_MUTANTS = (
    *mutants_of(
        "aggregation/trades",
        (
            "an id is a repetition at any time",
            "key = trade.at_ms, trade.id",
            "key = WallMs(0), trade.id",
        ),
        ("whatever has an id repeats its moment", "trade.at_ms, trade.id\n", 'trade.at_ms, ""\n'),
        (
            "numbers order nothing",
            "(trade.at_ms, trade.number, arrival)",
            "(trade.at_ms, 0, arrival)",
        ),
        ("any trade opens and closes a bar", "if alters.open_close:\n", "if alters:\n"),
        (
            "a trade that opens a bar may lie outside it",
            "if alters.open_close or alters.high_low:",
            "if alters.high_low:",
        ),
        (
            "only what opens a bar is its high and low",
            "if alters.open_close or alters.high_low:",
            "if alters.open_close:",
        ),
        ("all sizes are volume", "if alters.volume:\n", "if alters:\n"),
        (
            "a window that nothing may open gives a bar",
            "if self._first[0] is _AFTER_ALL:",
            "if not self._sizes:",
        ),
        (
            "a late trade does not open a window that gave nothing",
            "if window.was_given:",
            "if window.given is not None:",
        ),
    ),
    *mutants_of(
        "aggregation/windows",
        (
            "a window that was given up gives a bar for a late trade",
            "        self._settle(window)\n        return GivenUp",
            "        self._settle(window)\n        window.was_given = True\n        return GivenUp",
        ),
    ),
    *mutants_of(
        "venues/sale_conditions",
        ("at the opening it is still early", "_OPENS <= moment", "_OPENS < moment"),
        ("at the close it is not late yet", "< _CLOSES", "<= _CLOSES"),
        ("the last rule of open and close counts", "strictest.open_close and ", ""),
        ("the last rule of high and low counts", "strictest.high_low and ", ""),
        ("the last rule of the volume counts", "strictest.volume and ", ""),
        ("New York stands still all year", '"America/New_York"', '"America/Panama"'),
        ("a moment may be too far away", "min(at_ms, MAX_WALL_MS - 1)", "at_ms"),
        ("a letter means the same on every tape", '_LISTED | {"B": VOLUME}', "_LISTED | {}"),
        ("an unknown tape has no rules", "_TAPES.get(tape, UTP)", "_TAPES.get(tape, {})"),
    ),
    *mutants_of(
        "venues/alpaca",
        ("two exchanges share their ids", "f\"{trade.x or ''} {trade.i}\"", "str(trade.i)"),
        ("nanoseconds are not looked at", "number = below_ms(message.t)", "number = 0"),
        ("no tape is read", 'message.z or ""', '""'),
    ),
    *mutants_of(
        "venues/polygon",
        ("two exchanges share their ids", "{trade.x} {trade.trfi}", "{trade.trfi}"),
        ("two facilities share their ids", "{trade.x} {trade.trfi}", "{trade.x}"),
        ("the numbers of a day order nothing", "event.q or 0", "0"),
        ("fractions of a share are lost", "event.s if event.ds is None else event.ds", "event.s"),
    ),
)
