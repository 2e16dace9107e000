"""Settings, logging and the commands."""
