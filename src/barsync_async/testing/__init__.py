"""Fakes and helpers for the tests of those who build on barsync."""
