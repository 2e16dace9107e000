"""What the simulated venue wants done, or known, in the order in which it wants it."""

import msgspec

from barsync_async.messages import Bar

NORMAL_CLOSURE = 1000
GOING_AWAY = 1001
ABRUPT = 1006
"""Never on the wire: the connection is to be cut without a closing handshake."""
POLICY_VIOLATION = 1008


class Send(msgspec.Struct, frozen=True):
    """Send ``text`` to ``client``. ``bar`` is what it tells of, None for an answer; ``final``:
    the bar is closed.
    """

    client: int
    text: str
    bar: Bar | None = None
    final: bool = False

    @property
    def source(self) -> str | None:
        """The bar's source."""
        return None if self.bar is None else self.bar.source

    @property
    def timestamp(self) -> int | None:
        """The bar's close time."""
        return None if self.bar is None else self.bar.timestamp


class Close(msgspec.Struct, frozen=True):
    """Send what was to be sent, then end the connection; with code :data:`ABRUPT`, cut it now."""

    client: int
    code: int
    reason: str


class Lost(msgspec.Struct, frozen=True):
    """The closed ``bar`` would have gone out now and, by the scenario, is sent to nobody, ever."""

    bar: Bar


class Unheard(msgspec.Struct, frozen=True):
    """The closed ``bar`` went out now, and nobody was subscribed."""

    bar: Bar


Action = Send | Close | Lost | Unheard
