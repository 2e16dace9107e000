"""Fakes and helpers for the tests of those who build on barsync."""

from barsync_async.testing.bars import create_bar, create_bar_event
from barsync_async.testing.indicators import fresh_bars_of
from barsync_async.testing.strategies import features_of, portfolio_of

__all__ = ["create_bar", "create_bar_event", "features_of", "fresh_bars_of", "portfolio_of"]
