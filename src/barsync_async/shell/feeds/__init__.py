"""Bars on their way in: connections, what was missed on them, and the producers behind them."""
