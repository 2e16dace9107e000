"""How fast `barsync backtest` runs histories, and where the time goes.

Sources of one-minute bars are drawn from a seed and written as CSV and as Parquet. Then, in turn,
each in a process of its own:

- ``looked through``: every file is opened and read once, as it is before anything runs;
- ``read``: all bars once more, as the feed reads them;
- ``synchronized``: the whole run of a container that only synchronizes;
- ``traded``: the whole run with sma and rsi, the momentum strategy and a portfolio.

The last two end with the report's tables and page. Bars a second, medians of several runs. To
repeat::

    python benchmarks/backtest.py
    python benchmarks/backtest.py --sources 100 --minutes 10000 --runs 3
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barsync_async.app.backtest.run import Request, backtest, make_plan

if TYPE_CHECKING:
    from benchmarks import _common
else:
    import _common  # a script finds its neighbours beside it

pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
TRADING: Mapping[str, Any] = {
    "features": {
        "type": "MultiSymbolFeatureCalculator",
        "config": {"indicators": ["sma", "rsi"]},
    },
    "strategies": {"type": "StrategyRunner", "config": {"strategies": ["momentum"]}},
    "portfolio": {"type": "Portfolio"},
}


def main() -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sources", type=int, default=100)
    parser.add_argument("--minutes", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    print(_common.describe_machine())
    print(f"{asked.sources} sources x {asked.minutes:,} minutes\n")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), asked.sources, asked.minutes)
        rates = measured(Path(folder), asked.sources * asked.minutes, asked.runs)
    rows = [[name, *(f"{rate:,.0f}" for rate in row)] for name, row in rates.items()]
    _common.print_table(["bars a second", "CSV", "Parquet"], rows)


def measured(folder: Path, bars: int, runs: int) -> dict[str, list[float]]:
    """Of each trial, its rates by kind of file."""
    taken: dict[tuple[str, str], list[float]] = {}
    for _ in range(runs):
        for trial in TRIALS:
            for kind in ("csv", "parquet"):
                seconds = _common.in_fresh_process(timed, trial, folder, kind)
                taken.setdefault((trial, kind), []).append(bars / seconds)
    return {
        trial: [_common.median(taken[trial, kind]) for kind in ("csv", "parquet")]
        for trial in TRIALS
    }


def timed(trial: str, folder: Path, kind: str) -> float:
    """How many seconds it takes."""
    asked = Request(
        config=folder / ("traded.toml" if trial == "traded" else "synchronized.toml"),
        data=(str(folder / kind),),
        form=("label=close",),
        folder=folder / "report",
    )
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        return TRIALS[trial](asked)


def looked_through(asked: Request) -> float:
    """Every file, once."""
    began = _common.now_ns()
    make_plan(asked, {})
    return (_common.now_ns() - began) / _common.NS_PER_S


def read(asked: Request) -> float:
    """Every bar, once they were looked through."""
    plan = make_plan(asked, {})
    began = _common.now_ns()
    for histories in plan.histories.values():
        for history in histories:
            bars = sum(1 for _ in chain.from_iterable(history.chunks(512)))
            assert bars == history.survey.bars
    return (_common.now_ns() - began) / _common.NS_PER_S


def whole(asked: Request) -> float:
    """The command, from its start to the report."""
    began = _common.now_ns()
    backtest(asked, {})
    return (_common.now_ns() - began) / _common.NS_PER_S


TRIALS: Mapping[str, Callable[[Request], float]] = {
    "looked through": looked_through,
    "read": read,
    "synchronized": whole,
    "traded": whole,
}


def write(folder: Path, sources: int, minutes: int) -> None:
    """The histories, as both kinds of file, and a config for each kind of run."""
    names = [f"S{number:03}_1m" for number in range(sources)]
    for kind in ("csv", "parquet"):
        (folder / kind).mkdir()
    for number, name in enumerate(names):
        rows = [*_bars(number, minutes)]
        lines = [",".join(COLUMNS), *(",".join(map(str, row)) for row in rows)]
        (folder / "csv" / f"{name}.csv").write_text("\n".join(lines), "utf-8")
        table = pa.table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)))
        pq.write_table(table, folder / "parquet" / f"{name}.parquet")
    expected = json.dumps(names)
    head = f"""
[feeds.live]
venue = "binance"
sources = {expected}
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = {{ expected_sources = {expected}, require_all = false }}
"""
    (folder / "synchronized.toml").write_text(head, "utf-8")
    (folder / "traded.toml").write_text(head + _tables(TRADING), "utf-8")


def _tables(components: Mapping[str, Any]) -> str:
    """As TOML; of what a component is given, lists of names."""
    lines: list[str] = []
    for name, table in components.items():
        lines += [f"[containers.c.components.{name}]", f'type = "{table["type"]}"']
        given = [f"{key} = {json.dumps(value)}" for key, value in table.get("config", {}).items()]
        lines.append(f"config = {{ {', '.join(given)} }}")
    return "\n".join(lines)


def _bars(seed: int, minutes: int) -> list[tuple[float, ...]]:
    draw, close, start = random.Random(seed), 100.0, 1_767_355_200_000
    bars: list[tuple[float, ...]] = []
    for minute in range(1, minutes + 1):
        opened, close = close, round(close * (1 + draw.gauss(0, 0.0005)), 4)
        high, low = max(opened, close) + 0.01, min(opened, close) - 0.01
        stamp = start + minute * _common.MINUTE_MS
        bars.append((stamp, opened, round(high, 4), round(low, 4), close, draw.randrange(1_000)))
    return bars


if __name__ == "__main__":
    main()
