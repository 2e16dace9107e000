"""Equity, trades and the strategies' shares, against the book that made the versions and a plain
recount.
"""

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from barsync_async.messages import Bar, Features, PortfolioUpdate, Signal, StrategyFault
from barsync_async.portfolio.book import Book
from barsync_async.portfolio.costs import Costs
from barsync_async.portfolio.limits import Limits
from barsync_async.report.figures import portfolio_figures
from barsync_async.report.portfolio import PortfolioRecord
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs

MINUTE = 60_000
SOURCES = ("A_1m", "B_1m", "A_5m")
NAMES = ("one", "two")
COSTS = Costs(commission_bps=3.0)
LIMITS = Limits(max_units=12)

closes = st.dictionaries(st.sampled_from(SOURCES), st.integers(1, 500), max_size=3)
wishes = st.dictionaries(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(["A", "B_1m"]), st.integers(-9, 9), max_size=2),
    max_size=2,
)
days = st.lists(st.tuples(closes, wishes), min_size=1, max_size=25)


class Day:
    """A book and a record of what it publishes."""

    def __init__(self) -> None:
        self.book, self.record = Book(1_000.0, COSTS, LIMITS), PortfolioRecord()
        self.versions: list[PortfolioUpdate] = []
        self._carried: dict[str, Bar] = {}

    def minute(
        self, number: int, prices: Mapping[str, int], said: Mapping[str, dict[str, int]]
    ) -> None:
        timestamp = WallMs(number * MINUTE)
        bars = self._bars(timestamp, prices)
        signals = [
            Signal(timestamp=timestamp, strategy=name, targets=dict(targets), reason="")
            for name, targets in sorted(said.items())
        ]
        self.record.see(Features(timestamp=timestamp, features={}, bars=bars))
        for signal in signals:
            self.record.add_signal(signal)
        update = self.book.apply(timestamp, bars, signals)
        self.record.add_version(update)
        self.versions.append(update)

    def _bars(self, timestamp: WallMs, prices: Mapping[str, int]) -> dict[SourceId, Bar]:
        """Fresh ones, and those of five minutes carried between their closes."""
        bars = {}
        for source, price in prices.items():
            if not source.endswith("5m") or timestamp % (5 * MINUTE) == 0:
                bars[SourceId(source)] = self._carried[source] = create_bar(
                    source, timestamp, float(price)
                )
            elif source in self._carried:
                old = self._carried[source]
                age_ms = timestamp - old.timestamp
                bars[SourceId(source)] = replace(old, age_ms=age_ms, provenance="carried")
        return bars


@given(days)
def test_the_strategies_shares_add_up_to_the_portfolio(
    minutes: Sequence[tuple[dict[str, int], dict[str, dict[str, int]]]],
) -> None:
    day = Day()
    for number, (prices, said) in enumerate(minutes, 1):
        day.minute(number, prices, said)
    series, strategies = day.record.series(), day.record.strategies()
    assert series is not None
    figures = portfolio_figures(series, strategies)
    assert series.equity.tolist() == [each.equity for each in day.versions]
    assert figures.costs == pytest.approx(figures.traded * 3e-4)
    assert figures.unattributed == pytest.approx(0.0, abs=1e-6)
    refused = [each.strategy for update in day.versions for each in update.refused]
    for name, counts in strategies.items():
        assert counts.refused == refused.count(name)
    assert figures.traded <= sum(each.traded for each in strategies.values()) + 1e-9
    peak = 1_000.0
    for row, update in enumerate(day.versions):
        peak = max(peak, update.equity)
        assert series.drawdown[row] == pytest.approx(1 - update.equity / peak, abs=1e-12)
        assert series.net[row] == pytest.approx(update.equity - update.cash, abs=1e-9)
        assert series.gross[row] >= abs(series.net[row]) - 1e-9
    assert figures.traded == pytest.approx(recounted(day.versions, minutes))


def recounted(
    versions: Sequence[PortfolioUpdate],
    minutes: Sequence[tuple[dict[str, int], dict[str, dict[str, int]]]],
) -> float:
    """The value of all changes of position, at the prices that were drawn."""
    traded = 0.0
    held: dict[str, float] = {}
    for update, (prices, _) in zip(versions, minutes, strict=True):
        for symbol in {*held, *update.positions}:
            change = update.positions.get(symbol, 0.0) - held.get(symbol, 0.0)
            if change:
                price = prices.get(f"{symbol}_1m", prices.get(f"{symbol}_5m"))
                assert price is not None
                traded += abs(change) * price
        held = dict(update.positions)
    return traded


def update(number: int, **values: object) -> PortfolioUpdate:
    given = {"positions": {}, "cash": 1_000.0, "equity": 1_000.0, "applied": (), **values}
    return PortfolioUpdate(timestamp=WallMs(number * MINUTE), version=number, **given)  # type: ignore[arg-type]


def see(record: PortfolioRecord, number: int, price: float) -> None:
    bars = {SourceId("A_1m"): create_bar("A_1m", number * MINUTE, price)}
    record.see(Features(timestamp=WallMs(number * MINUTE), features={}, bars=bars))


def signal(number: int, units: float) -> Signal:
    stamp = WallMs(number * MINUTE)
    return Signal(timestamp=stamp, strategy="one", targets={"A": units}, reason="")


def test_what_a_trade_costs_beyond_its_value_is_told_apart() -> None:
    record = PortfolioRecord()
    paid = {"positions": {"A": 5.0}, "cash": 949.0, "costs": 1.0, "turnover": 50.0}
    see(record, 1, 10.0)
    record.add_version(update(1))
    see(record, 2, 10.0)
    record.add_signal(signal(2, 5.0))
    record.add_version(update(2, **paid, equity=999.0, applied=("one",)))
    see(record, 3, 12.0)
    record.add_version(update(3, **paid, equity=1_009.0))
    series, strategies = record.series(), record.strategies()
    assert series is not None
    assert series.costs.tolist() == [0.0, 1.0, 0.0]
    assert series.traded.tolist() == [0.0, 50.0, 0.0]
    assert (strategies["one"].traded, strategies["one"].gain) == (50.0, 10.0)
    assert portfolio_figures(series, strategies).unattributed == 0.0


def changes_after(*wanted: float) -> list[int]:
    """How many changes are counted after each set, where one strategy wants this many units of A
    and at most 12 are granted.
    """
    day = Day()
    counted = []
    for number, units in enumerate(wanted, 1):
        day.minute(number, {"A_1m": 10}, {"one": {"A": int(units)}})
        counted.append(day.record.strategies()["one"].changes)
    return counted


def test_a_wish_that_is_refused_is_a_change_once_however_often_it_is_asked_again() -> None:
    assert changes_after(5, 5, 20, 20, 20, 20) == [1, 1, 2, 2, 2, 2]
    assert changes_after(20, 20, 5, 5, 20, 20, 0, 0) == [1, 1, 2, 2, 3, 3, 4, 4]


def test_to_want_what_one_has_after_a_refusal_is_a_change_of_mind() -> None:
    assert changes_after(0, 0, 20, 0) == [0, 0, 1, 2]


@given(st.lists(st.integers(-20, 20), max_size=20))
def test_changes_are_the_decisions_that_want_another_position_than_the_last_one(
    wanted: list[int],
) -> None:
    expected, last = [0], 0
    for units in wanted:
        expected.append(expected[-1] + (units != last))
        last = units
    assert changes_after(*wanted) == expected[1:]


def test_what_is_refused_is_counted_whether_a_limit_or_a_symbol_without_bars_is_in_the_way() -> (
    None
):
    record, book = PortfolioRecord(), Book(1_000.0, limits=LIMITS, symbols={"A"})
    see(record, 1, 10.0)
    said = replace(signal(1, 0.0), targets={"A": 20.0, "NOPE": 1.0})
    record.add_signal(said)
    bars = {SourceId("A_1m"): create_bar("A_1m", MINUTE, 10.0)}
    record.add_version(book.apply(WallMs(MINUTE), bars, [said]))
    counts = record.strategies()["one"]
    assert (counts.refused, counts.changes, counts.traded) == (2, 1, 0.0)


def test_a_decision_that_came_too_late_moves_nothing_of_its_strategy() -> None:
    record = PortfolioRecord()
    see(record, 1, 10.0)
    record.add_fault(
        StrategyFault(timestamp=WallMs(MINUTE), strategy="one", kind="late", detail="", action="")
    )
    record.add_version(update(1))
    record.add_signal(signal(1, 5.0))
    see(record, 2, 20.0)
    record.add_version(update(2))
    counts = record.strategies()["one"]
    assert (counts.decisions, counts.applied, counts.changes) == (1, 0, 0)
    assert counts.faults == {"late": 1}
    assert (counts.traded, counts.gain) == (0.0, 0.0)


def test_a_target_that_the_portfolio_did_not_take_leaves_a_gain_that_is_nobodys_own() -> None:
    record = PortfolioRecord()
    see(record, 1, 10.0)
    record.add_signal(signal(1, 5.0))
    record.add_version(update(1, applied=("one",)))
    see(record, 2, 11.0)
    record.add_version(update(2))
    series = record.series()
    assert series is not None
    assert portfolio_figures(series, record.strategies()).unattributed == -5.0


def test_at_interpolated_prices_nothing_is_traded_and_nothing_gained() -> None:
    record, book = PortfolioRecord(), Book(1_000.0)
    for number, (price, provenance) in enumerate(
        [(10.0, "fresh"), (15.0, "interpolated"), (20.0, "fresh")], 1
    ):
        stamp, said = WallMs(number * MINUTE), signal(number, float(number))
        bar = replace(create_bar("A_1m", stamp, price), provenance=provenance)
        record.see(Features(timestamp=stamp, features={}, bars={bar.source: bar}))
        record.add_signal(said)
        record.add_version(book.apply(stamp, {bar.source: bar}, [said]))
    counts, series = record.strategies()["one"], record.series()
    assert series is not None
    assert (counts.traded, counts.gain) == (10.0 + 2 * 20.0, 10.0)
    assert portfolio_figures(series, record.strategies()).unattributed == 0.0


def test_what_is_not_due_gives_way_to_a_fresh_bar_though_both_close_now() -> None:
    record, book = PortfolioRecord(), Book(1_000.0)
    for number in (1, 2):
        stamp, said = WallMs(number * MINUTE), signal(number, 2.0)
        not_due = replace(create_bar("A_1m", stamp, 90.0 * number), provenance="carried")
        due = create_bar("A_5m", stamp, 100.0 * number)
        bars = {bar.source: bar for bar in (not_due, due)}
        record.see(Features(timestamp=stamp, features={}, bars=bars))
        record.add_signal(said)
        record.add_version(book.apply(stamp, bars, [said]))
    counts, series = record.strategies()["one"], record.series()
    assert series is not None
    assert (counts.traded, counts.gain) == (200.0, 200.0)
    assert portfolio_figures(series, record.strategies()).unattributed == 0.0


def test_a_target_of_a_symbol_that_looks_like_a_source_is_of_that_symbol() -> None:
    record, book = PortfolioRecord(), Book(1_000.0, symbols={"A", "A_1d"})
    record.expect([SourceId("A_1m"), SourceId("A_1d_1m")])
    for number, sources in enumerate([["A_1m"], ["A_1m", "A_1d_1m"], ["A_1m", "A_1d_1m"]], 1):
        stamp = WallMs(number * MINUTE)
        closing = [create_bar(source, stamp, 10.0 * number) for source in sources]
        bars = {bar.source: bar for bar in closing}
        said = replace(signal(number, 0.0), targets={"A_1d": 5.0})
        record.see(Features(timestamp=stamp, features={}, bars=bars))
        record.add_signal(said)
        record.add_version(book.apply(stamp, bars, [said]))
    counts, series = record.strategies()["one"], record.series()
    assert series is not None
    assert (counts.traded, counts.gain) == (100.0, 50.0)
    assert portfolio_figures(series, record.strategies()).unattributed == 0.0


def test_where_no_portfolio_speaks_there_is_no_series() -> None:
    record = PortfolioRecord()
    record.add_signal(signal(1, 1.0))
    assert record.series() is None
    assert not math.isnan(record.strategies()["one"].gain)
