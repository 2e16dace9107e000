"""Small mistakes in what a portfolio holds, pays and may hold, and in whom it waits for."""

from tests.mutation.mutant import mutants_of

PORTFOLIO_MUTANTS = (
    *mutants_of(
        "portfolio/barrier",
        ("a stranger's answer counts", "if strategy not in self.missing:", "if False:"),
        (
            "decisions stand in the order of the answers",
            "for name in self._strategies)",
            "for name in self._answers)",
        ),
    ),
    *mutants_of(
        "portfolio/book",
        ("a refused wish is filled", "] = grant.units", "] = grant.wish.target"),
        ("costs are not paid", "[last.cash, -paid, *", "[last.cash, *"),
        ("costs are not summed", "costs=last.costs + paid", "costs=paid"),
        ("sold units are no turnover", "*(abs(fill.value) for", "*(fill.value for"),
        ("nothing is checked", "        check_conserved(self._last, update, marks)\n", ""),
        ("the peak falls", "peak = max(last.peak, equity)", "peak = equity"),
        (
            "limits are judged by the last equity",
            "equity = last.cash + net_value(last.positions, marks)",
            "equity = last.equity",
        ),
        (
            "what waits for a fresh bar is forgotten",
            "self._waiting = unfilled(orders, prices)",
            "self._waiting = ()",
        ),
        ("everything is stale", "s.depends_on_version < last", "s.depends_on_version <= last"),
        (
            "who waited decided just now",
            "[*said, *(order.depends_on_version for order in self.waited)]",
            "said",
        ),
        ("who waits did wait", "if own]", "if own or True]"),
        (
            "who waited is named twice",
            "tuple(dict.fromkeys(each.strategy for each in waited))",
            "tuple(each.strategy for each in waited)",
        ),
        ("a symbol as a key is a source", "symbol_of(key, known)", "symbol_of(key)"),
        ("a source as a key is a symbol", "{symbol_of(key, known): each", "{key: each"),
        (
            "a strategy keeps the whole position",
            "units = position - positions",
            "units = position + positions",
        ),
    ),
    *mutants_of(
        "portfolio/conservation",
        ("much may be lost of much", "_ROUNDING = 2e-15", "_ROUNDING = 1e-9"),
        ("costs are lost", "held - (update.costs - last.costs)", "held"),
        (
            "what is no number balances",
            "(kept and math.isfinite(update.equity))",
            "(not update.equity or kept)",
        ),
    ),
    *mutants_of(
        "portfolio/costs",
        ("slippage is in per cent", "_BPS = 10_000.0", "_BPS = 100.0"),
        (
            "the commission is on the close",
            "abs(paid) * self.commission_bps",
            "abs(units * close) * self.commission_bps",
        ),
        (
            "a seller gets more by slippage",
            "units * close + slippage",
            "abs(units * close) + slippage",
        ),
        (
            "at a close below 0 slippage is a gain",
            "slippage = abs(units * close)",
            "slippage = abs(units) * close",
        ),
        (
            "selling costs nothing by unit",
            "abs(units) * self.commission",
            "max(units, 0) * self.commission",
        ),
    ),
    *mutants_of(
        "portfolio/limits",
        (
            "what fits together is looked at one by one",
            "if book.take_all(everything):",
            "if False:",
        ),
        ("what a strategy wants is looked at one by one", "if book.take_all(own):", "if False:"),
        ("what makes room waits", "sorted(own, key=book.order)", "own"),
        (
            "what is over a limit has to go",
            "return min(-most, value), max(most, value)",
            "return -most, most",
        ),
        (
            "the others' exposure counts for nothing",
            "most = max(self._most_gross, self._gross) - others",
            "most = max(self._most_gross, self._gross)",
        ),
        (
            "the net exposure of the others counts for nothing",
            "self._net - value, mark",
            "0.0, mark",
        ),
        (
            "shorts have no net limit",
            "return least <= net <= most",
            "return net <= most",
        ),
        (
            "what is rounded is beyond a limit",
            "_TOLERANCE = 1e-9",
            "_TOLERANCE = 0.0",
        ),
        (
            "the way back is wider than it was",
            "return max(min(_widest(self._most_gross), self._most_kept), self._gross)",
            "return _widest(max(min(self._most_gross, self._most_kept), self._gross))",
        ),
        (
            "a target is clipped to more than the limit",
            "self._room(before, self.most)",
            "self._room(before, 2 * self.widest)",
        ),
        (
            "a net exposure is rounded as its limit is",
            "max(_widest(most), most + _TOLERANCE * gross)",
            "_widest(most)",
        ),
        (
            "what cannot be kept to a cent is held",
            "_MOST_MONEY = 5e13",
            "_MOST_MONEY = 5e33",
        ),
        (
            "the equity needs no digits",
            "_MOST_MONEY - abs(self._equity)",
            "_MOST_MONEY",
        ),
        ("a refused target is clipped", 'self._limits.breach == "refuse"', "False"),
        ("what is granted is not held", "        self._positions[symbol] = units\n", ""),
        (
            "what is granted exposes nothing",
            "        self._gross += abs(units * mark)",
            "        self._gross += 0 * abs(units * mark)",
        ),
    ),
    *mutants_of(
        "portfolio/order",
        ("what was filled is wished again", "order.without(symbols)", "order.without(())"),
        ("what is said anew has its old place", "order.without(later)", "order"),
        ("the newest order comes first", "return left[::-1]", "return left"),
        ("what cannot be filled is granted", "if symbol in prices and target", "if target"),
        (
            "what one has is wished",
            "target != (before := own.get(symbol, 0.0))",
            "(before := own.get(symbol, 0.0)) is not None",
        ),
        (
            "what was said of one symbol is taken back by what is said of another",
            "if symbol not in symbols}",
            "if not symbols}",
        ),
    ),
    *mutants_of(
        "portfolio/prices",
        ("a stale bar fills", 'if bar.provenance == "fresh"', ""),
        ("who is not due counts", 'bar.provenance == "fresh", -TIMEFRAMES', "True, -TIMEFRAMES"),
        ("an interpolated bar is a mark", 'if bar.provenance == "interpolated":', "if False:"),
        ("the longer bar counts", "-TIMEFRAMES[bar.timeframe]", "TIMEFRAMES[bar.timeframe]"),
        ("an older bar is a mark", "if held is None or _rank(bar) >= _rank(held):", "if True:"),
    ),
    *mutants_of(
        "portfolio/roster",
        ("who rests is waited for", "return rest == 0", "return True"),
        ("a rest does not pass", "self._rests[strategy] = rest - 1", "pass"),
    ),
    *mutants_of(
        "strategies/supervision",
        (
            "a decision ends no row",
            "        self._faults = 0\n\n    def failed",
            "        pass\n\n    def failed",
        ),
        (
            "a rest is a set too long",
            "_MOST_DOUBLINGS) - 1",
            "_MOST_DOUBLINGS)",
        ),
        (
            "a rest has no bound",
            "min(self._faults - 1, _MOST_DOUBLINGS)",
            "(self._faults - 1)",
        ),
        (
            "it is left off a fault too late",
            "if self._faults == self._max_faults:",
            "if self._faults > self._max_faults > 0:",
        ),
        (
            "who rests is asked",
            "            self._rest_sets -= 1\n            return False",
            "            self._rest_sets -= 1\n            return True",
        ),
    ),
)
