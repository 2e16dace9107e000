"""The scenario file's structure: which bars the simulated venue sells, and how badly.

A scenario is plain data, such as a TOML file's tables. :func:`parse_scenario` finds all its
mistakes at once and gives typed values; it opens no file.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from barsync_async.errors import ConfigError, Mistake
from barsync_async.mistakes import key_path, mistake, shown
from barsync_async.simulation.delay import DELAY_KINDS, ConstantDelay, DelayModel
from barsync_async.simulation.grid import venue_grid
from barsync_async.simulation.venues import PROTOCOLS
from barsync_async.units import MAX_WALL_MS, SourceId, shown_time, split_source

_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,31}")
_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+):(?P<port>\d{1,5})")
_MAX_PORT = 65_535


def _source(value: str) -> str:
    symbol, _ = split_source(value)
    if not _SYMBOL.fullmatch(symbol):
        raise ValueError(f"the symbol {symbol!r}: expected up to 32 of A-Z a-z 0-9 . / _ -")
    return value


def _address(value: str) -> str:
    match = _LISTEN.fullmatch(value)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise ValueError("expected HOST:PORT, e.g. 127.0.0.1:9001; port 0 takes any free one")
    return value


def _protocol(value: str) -> str:
    if value not in PROTOCOLS:
        raise ValueError(f"expected one of {' '.join(PROTOCOLS)}")
    return value


def _moment(value: Any) -> Any:
    """RFC 3339, as text or as TOML's own type, to ms since the epoch."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("expected ms since the epoch or RFC 3339 with an offset") from None
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("should have an offset, e.g. 2026-01-02T14:30:00Z")
    return round(value.timestamp() * 1_000)


SourceName = Annotated[str, AfterValidator(_source)]
Moment = Annotated[int, BeforeValidator(_moment), Field(ge=0, lt=MAX_WALL_MS)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0.0001, le=1_000_000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0.001, le=31_536_000, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(ge=0.1, le=604_800_000, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TlsTable(_Table):
    """``venue.tls``: files in PEM form, relative to the scenario's folder."""

    cert: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]


class VenueTable(_Table):
    """``[venue]``: the server. ``running_ms`` 0 sends no running klines; ``pace_ms`` None closes
    the bars on the wall clock's own grid. ``running_in_history`` False keeps the bar under way out
    of the REST answers: of a paced market, whose bars are of the past, nobody could tell it.
    """

    protocol: Annotated[str, AfterValidator(_protocol)] = "binance"
    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:9001"
    duration_s: Seconds | None = None
    pace_ms: Milliseconds | None = None
    start: Moment | None = None
    running_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0
    running_in_history: bool = True
    tls: TlsTable | None = None

    @field_validator("start")
    @classmethod
    def _only_with_pace(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("pace_ms", 0) is None:
            raise ValueError("needs pace_ms; without it bars close when the wall clock says so")
        return value

    @property
    def address(self) -> tuple[str, int]:
        """Host, without the brackets of an IPv6 address, and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class MarketTable(_Table):
    """``[market]``: ``volatility`` is the deviation of the shortest bars' log returns."""

    correlation: Probability = 0.5
    volatility: Annotated[float, Field(ge=0, le=0.1, allow_inf_nan=False)] = 0.0005
    empty: Probability = 0.0
    start_prices: dict[str, Price] = {}


class SourceTable(_Table):
    """``[defaults]`` and ``[sources.NAME]``: what happens to closed bars on their way out.

    ``revise`` is the share that goes out one unit of volume short, and as it is
    ``revise_after_ms`` later.
    """

    delay: DelayModel = ConstantDelay(kind="constant", ms=0.0)
    loss: Probability = 0.0
    duplicate: Probability = 0.0
    reorder: Probability = 0.0
    revise: Probability = 0.0
    revise_after_ms: Milliseconds = 30_000.0


class TradesTable(_Table):
    """``[trades]``: what happens to trades on their way out, each by itself."""

    delay: DelayModel = ConstantDelay(kind="constant", ms=0.0)
    duplicate: Probability = 0.0


class FaultsTable(_Table):
    """``[faults]``: what happens to connections. ``abrupt`` is the share cut without a word;
    ``lifetime_s`` how long the venue lets any connection live.
    """

    disconnect_every_s: Seconds | None = None
    disconnect_jitter: Probability = 0.2
    abrupt: Probability = 0.0
    lifetime_s: Seconds | None = None
    ping_every_s: Seconds = 20.0
    pong_within_s: Seconds = 60.0


class Scenario(_Table):
    """A whole scenario file."""

    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0
    venue: VenueTable = VenueTable()
    market: MarketTable = MarketTable()
    defaults: SourceTable = SourceTable()
    trades: TradesTable = TradesTable()
    faults: FaultsTable = FaultsTable()
    sources: Annotated[dict[SourceName, SourceTable], Field(min_length=1, max_length=10_000)]

    @field_validator("sources")
    @classmethod
    def _one_stream_each(
        cls, value: dict[str, SourceTable], info: ValidationInfo
    ) -> dict[str, SourceTable]:
        venue = info.data.get("venue")
        protocol = PROTOCOLS[venue.protocol if venue else "binance"]
        seen: dict[str, str] = {}
        for source in value:
            twin = seen.setdefault(protocol.stream(source), source)
            if twin != source:
                raise ValueError(f"{twin} and {source} are the same stream at the venue")
        return value

    def source(self, source: SourceId) -> SourceTable:
        """The table of ``source``, with the defaults for what it leaves out."""
        own = self.sources[source]
        return self.defaults.model_copy(
            update={key: getattr(own, key) for key in own.model_fields_set}
        )


def parse_scenario(document: Mapping[str, Any], origin: str) -> Scenario:
    """``document`` as typed values; ``origin`` names it in errors.

    Raises:
        ConfigError: with every mistake that was found.
    """
    mistakes = list(_cross_mistakes(document))
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        kinds = f"needs kind, one of {' '.join(DELAY_KINDS)}"
        own = [
            mistake(detail, tuple(_keys(detail["loc"])), kinds)
            for detail in error.errors(include_url=False)
        ]
        raise ConfigError(origin, [*own, *mistakes]) from None
    if mistakes:
        raise ConfigError(origin, mistakes)
    return scenario


def _cross_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """What only two tables together tell; looks at what is well-formed in them."""
    sources = [key for key in _table(document, "sources") if _is_source(key)]
    if not sources:
        return
    symbols = {split_source(source)[0] for source in sources}
    for symbol, price in _table(_table(document, "market"), "start_prices").items():
        if symbol not in symbols:
            path = key_path(("market", "start_prices", symbol))
            yield Mistake(path, shown(price), "no source has this symbol")
    start = _table(document, "venue").get("start")
    if start is not None:
        yield from _off_grid(start, sources)


def _off_grid(start: Any, sources: Sequence[str]) -> Iterator[Mistake]:
    grid = venue_grid(sources)
    try:
        moment = _Start.model_validate({"start": start}).start
    except ValidationError:
        return
    if not grid.closes_at(moment):
        next_close = shown_time(grid.next_close(moment))
        expected = f"no bar closes then; the next one closes at {next_close}"
        yield Mistake("venue.start", shown(start), expected)


class _Start(_Table):
    start: Moment


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _is_source(key: Any) -> bool:
    try:
        _source(key)
    except (ValueError, AttributeError):
        return False
    return True


def _keys(location: Sequence[str | int]) -> Iterator[str | int]:
    """Without what pydantic adds: which kind of delay it tried, that a key itself is wrong."""
    before: str | int = ""
    for key in location:
        if not (key == "[key]" or (before == "delay" and key in DELAY_KINDS)):
            yield key
        before = key
