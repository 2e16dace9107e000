"""What a config may tell a venue's codec beside the sources."""

import msgspec

from barsync_async.venues.json_format import JsonFormat


class Credentials(msgspec.Struct, frozen=True):
    """A key and its secret; neither shows in a log, a message or a traceback."""

    key: str
    secret: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"


class VenueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``url`` and ``history_url`` replace the venue's public endpoints; ``format`` is for the
    venue ``json``, which knows no messages of its own.
    """

    url: str | None = None
    history_url: str | None = None
    credentials: Credentials | None = None
    format: JsonFormat | None = None


PUBLIC = VenueOptions()
"""The venue's own endpoints, and nobody's credentials."""
