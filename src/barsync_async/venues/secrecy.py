"""Venues that want to know who asks: what a person reads of it, and what nobody may."""

from collections.abc import Sequence

import msgspec

from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Received, Refusal, Rejection

_SHORTEST_SECRET = 8
"""A shorter one would hide half of a text, and is none."""

_HIDDEN = "..."


def missing_credentials(title: str, needed: Sequence[str], options: VenueOptions) -> str | None:
    """What ``options`` lack of ``needed``, of ``key`` and ``secret``, and where it may come from;
    None where all is there.
    """
    given = options.credentials or Credentials("")
    if all(getattr(given, name) for name in needed):
        return None
    files = " and ".join(f"{name}_file" for name in needed)
    variables = " and ".join(f"BARSYNC_FEEDS__<FEED>__{name.upper()}" for name in needed)
    wanted = f"needs a {' and a '.join(needed)}"
    return f"{title}: {wanted}, by {files} in the feed's table or {variables} in the environment"


def hidden(text: str, credentials: Credentials) -> str:
    """``text`` without the credentials, should a venue have sent them back."""
    for secret in (credentials.key, credentials.secret):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return text


def without_secrets(item: Received, credentials: Credentials) -> Received:
    """``item`` with nothing of the credentials in what a person is shown."""
    if isinstance(item, Rejection | Refusal):
        return msgspec.structs.replace(item, detail=hidden(item.detail, credentials))
    return item
