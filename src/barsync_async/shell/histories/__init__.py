"""Files of past bars, opened, looked through and read in order."""
