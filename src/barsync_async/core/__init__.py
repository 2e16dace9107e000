"""The synchronization itself, pure: bars, deadlines and `now` in, outcomes out."""
