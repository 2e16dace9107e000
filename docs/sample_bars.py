"""Writes a day of made-up bars for config/binance.toml into the folder that is named.

A random walk from a fixed seed, minute by minute; longer bars are made of the same minutes.
"""

import sys
from pathlib import Path
from random import Random

BEGIN_S = 1_767_225_600  # 2026-01-01 00:00 UTC
MINUTES = 1_440
SYMBOLS = (("BTCUSDT", 97_000.0, (1, 5)), ("ETHUSDT", 3_100.0, (1,)), ("SOLUSDT", 190.0, (1,)))


def walk(rng: Random, price: float) -> list[float]:
    """The prices at the beginning, and at the end of each minute."""
    prices = [price]
    for _ in range(MINUTES):
        prices.append(round(prices[-1] * (1 + rng.gauss(0, 0.0005)), 2))
    return prices


def rows(prices: list[float], length: int) -> list[str]:
    """One row for each bar of so many minutes, under the time at which it begins."""
    bars = [(at, prices[at : at + length + 1]) for at in range(0, MINUTES, length)]
    return [
        f"{BEGIN_S + 60 * at},{part[0]},{max(part)},{min(part)},{part[-1]},{10 * length}"
        for at, part in bars
    ]


def main(folder: Path) -> None:
    """Write ``SYMBOL_TIMEFRAME.csv`` for each source."""
    folder.mkdir(parents=True, exist_ok=True)
    for symbol, price, lengths in SYMBOLS:
        prices = walk(Random(symbol), price)
        for length in lengths:
            table = ["time,open,high,low,close,volume", *rows(prices, length)]
            (folder / f"{symbol}_{length}m.csv").write_text("\n".join(table) + "\n")


main(Path(sys.argv[1]))
