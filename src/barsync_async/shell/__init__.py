"""The only package that awaits, reads clocks or logs."""
