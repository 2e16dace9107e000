"""Fakes and helpers for the tests of those who build on barsync."""

from barsync_async.testing.bars import create_bar, create_bar_event

__all__ = ["create_bar", "create_bar_event"]
