"""What a config may tell a venue's codec beside the sources."""

import msgspec


class Credentials(msgspec.Struct, frozen=True):
    """A key and its secret; neither shows in a log, a message or a traceback."""

    key: str
    secret: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"


class VenueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``url`` and ``history_url`` replace the venue's public endpoints."""

    url: str | None = None
    history_url: str | None = None
    credentials: Credentials | None = None


PUBLIC = VenueOptions()
"""The venue's own endpoints, and nobody's credentials."""
