"""What a venue wants to hear from its clients so as not to cut them off."""

import msgspec


class KeepAlive(msgspec.Struct, frozen=True):
    """Send ``text`` every ``every_ms``; with ``only_in_silence``, only where nothing came for so
    long.
    """

    text: str
    every_ms: int
    only_in_silence: bool = False
