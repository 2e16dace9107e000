"""``barsync backtest``: a config on past bars, on virtual time, and what came of it."""
