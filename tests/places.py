"""Where something was raised: told, and another line with each one that is added above it."""

import re

_PLACE = re.compile(r" \(\w+\.py:\d+\)")


def unplaced(text: str) -> str:
    """``text`` without the places."""
    return _PLACE.sub("", text)
