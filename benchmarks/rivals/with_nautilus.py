"""nautilus_trader: its backtest engine calls a strategy's ``on_bar``, which groups by timestamp.

Instruments and bars are made and added before the clock starts, sorted and unchecked; logging,
the analysis after the run and the matching of orders against bars are off. The clock starts when
the strategy has subscribed to every bar type, and ends with the last set.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from barsync_async.units import NS_PER_MS

if TYPE_CHECKING:
    from benchmarks.rivals.load import Load, Result, Stopwatch
else:
    from rivals.load import Load, Result, Stopwatch

VENUE = "SIM"


class Grouping:
    """What the strategy does: one set for each timestamp of which all bars are there."""

    def __init__(self, expected: int, sets: int) -> None:
        self.expected, self.sets = expected, sets
        self.cells: dict[int, dict[Any, Any]] = {}
        self.out: list[dict[Any, Any]] = []
        self.watch = Stopwatch()
        self.result: Result | None = None

    def start(self, subscribe: Callable[[Any], None], types: Sequence[Any]) -> None:
        """Subscribe to every bar type; the clock starts after that."""
        for each in types:
            subscribe(each)
        self.watch = Stopwatch()

    def on_bar(self, bar: Any) -> None:
        """One bar of the engine's."""
        cells = self.cells.setdefault(bar.ts_event, {})
        cells[bar.bar_type] = bar
        if len(cells) == self.expected:
            self.out.append(self.cells.pop(bar.ts_event))
            if len(self.out) == self.sets:
                self.result = self.watch.result(self.sets)


def backtest(load: Load) -> Result:
    """One engine's run over the whole load."""
    engine = quiet_engine()
    types = [add_instrument(engine, symbol) for symbol in load.symbols]
    grouping = Grouping(len(types), load.minutes)
    engine.add_strategy(strategy(grouping, types))
    engine.add_data(bars_of(load, types), validate=False, sort=False)
    engine.run()
    assert grouping.result is not None, f"{len(grouping.out)} of {load.minutes} sets"
    return grouping.result


def quiet_engine() -> Any:
    """An engine with one venue that leaves bars alone."""
    config, enums = import_module("nautilus_trader.config"), import_module(f"{MODEL}.enums")
    settings = config.BacktestEngineConfig(
        logging=config.LoggingConfig(bypass_logging=True), run_analysis=False
    )
    engine = import_module("nautilus_trader.backtest.engine").BacktestEngine(settings)
    dollar = import_module(f"{MODEL}.currencies").USD
    engine.add_venue(
        import_module(f"{MODEL}.identifiers").Venue(VENUE),
        enums.OmsType.NETTING,
        enums.AccountType.CASH,
        [import_module(f"{MODEL}.objects").Money(1_000_000, dollar)],
        bar_execution=False,
    )
    return engine


MODEL = "nautilus_trader.model"


def add_instrument(engine: Any, symbol: str) -> Any:
    """A share called ``symbol``; gives the type of its bars."""
    provider = import_module("nautilus_trader.test_kit.providers").TestInstrumentProvider
    share = provider.equity(symbol=symbol, venue=VENUE)
    engine.add_instrument(share)
    return import_module(f"{MODEL}.data").BarType.from_str(f"{share.id}-1-MINUTE-LAST-EXTERNAL")


def bars_of(load: Load, types: Sequence[Any]) -> list[Any]:
    """The load in the engine's own form."""
    bar, objects = import_module(f"{MODEL}.data").Bar, import_module(f"{MODEL}.objects")
    prices = [objects.Price(each, 2) for each in (100.0, 100.5, 99.5, 100.25)]
    volume = objects.Quantity.from_int(1_234)
    return [
        bar(each, *prices, volume, timestamp * NS_PER_MS, timestamp * NS_PER_MS)
        for timestamp in load.timestamps()
        for each in types
    ]


def strategy(grouping: Grouping, types: Sequence[Any]) -> Any:
    """A strategy that hands everything to ``grouping``."""
    base: Any = import_module("nautilus_trader.trading.strategy").Strategy

    class Hand(base):  # type: ignore[misc]  # known only where it is installed
        def on_start(self) -> None:
            grouping.start(self.subscribe_bars, types)

        def on_bar(self, bar: Any) -> None:
            grouping.on_bar(bar)

    return Hand()
