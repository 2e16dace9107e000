"""The tables that a config file may have."""

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    PrivateAttr,
    SecretStr,
    Tag,
)

from barsync_async.config.files import HistoryFileConfig
from barsync_async.config.json_format import JsonFormatConfig
from barsync_async.indicator_choice import check_indicator
from barsync_async.messages import EventType
from barsync_async.strategy_choice import Executor, check_strategy
from barsync_async.units import split_source, split_stream
from barsync_async.venues.options import Credentials, VenueOptions

_TIME = re.compile(r"\d\d:\d\d")
_CALENDAR = re.compile(r"24/7|[A-Za-z][A-Za-z0-9_/]{1,31}")
_NO_SPACE = re.compile(r"[!-~]+")


def _source(value: str) -> str:
    split_source(value)
    return value


def _stream(value: str) -> str:
    split_stream(value)
    return value


SourceName = Annotated[str, AfterValidator(_source)]
StreamName = Annotated[str, AfterValidator(_stream)]
"""Of what a feed can carry: bars, or the trades of a symbol, ``BTC/USDT_trades``."""

Milliseconds = Annotated[float, Field(gt=0, le=86_400_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]

OUTPUT_EVENTS = tuple(each for each in EventType if each not in (EventType.BAR, EventType.GAP))


def _event_type(value: str) -> str:
    if value not in OUTPUT_EVENTS:
        raise ValueError(f"expected one of {' '.join(OUTPUT_EVENTS)}")
    return value


EventNames = Annotated[list[Annotated[str, AfterValidator(_event_type)]], Field(min_length=1)]


def _is_url(value: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(value)
        good = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:  # a bracket without its twin, a port beyond 65535
        return False
    return bool(good and _NO_SPACE.fullmatch(value))


def _url(value: str) -> str:
    if not _is_url(value, "ws", "wss"):
        raise ValueError("expected ws://HOST or wss://HOST, a port and a path if you like")
    return value


def _http_url(value: str) -> str:
    if not _is_url(value, "http", "https"):
        raise ValueError("expected http://HOST or https://HOST, a port and a path if you like")
    return value


def _proxy_url(value: str) -> str:
    if not _is_url(value, "http"):
        raise ValueError("expected http://HOST:PORT")
    parts = urlsplit(value)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("expected http://HOST:PORT and nothing behind it")
    if parts.username is not None and not (parts.username and parts.password):
        raise ValueError("expected a name and a password, or neither: http://NAME:PASSWORD@HOST")
    return value


FilePath = Annotated[str, Field(min_length=1)]


def _indicator(value: str | dict[str, Any]) -> str | dict[str, Any]:
    check_indicator(value)
    return value


Indicator = Annotated[str | dict[str, Any], PlainValidator(_indicator)]


def _strategy(value: str | dict[str, Any]) -> str | dict[str, Any]:
    check_strategy(value)
    return value


StrategyTable = Annotated[str | dict[str, Any], PlainValidator(_strategy)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ServiceConfig(_Table):
    """``[service]``: the daemon itself."""

    name: Annotated[str, Field(min_length=1)] = "barsync"
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


FILE_VENUE = "file"
"""A feed of this venue reads ``files``; all others are somewhere on the network."""


class FeedConfig(_Table):
    """``[feeds.NAME]``: one venue's sources; no ``url`` means the venue's public endpoint.

    ``key`` and ``secret`` never stand in a file: they come from the environment, or from
    ``key_file`` and ``secret_file``.
    """

    venue: str
    url: Annotated[str, AfterValidator(_url)] | None = None
    history_url: Annotated[str, AfterValidator(_http_url)] | None = None
    sources: Annotated[list[StreamName], Field(min_length=1)]
    in_order: bool = True
    key: SecretStr | None = None
    key_file: FilePath | None = None
    secret: SecretStr | None = None
    secret_file: FilePath | None = None
    ca_file: FilePath | None = None
    proxy: Annotated[str, AfterValidator(_proxy_url)] | None = None
    grace_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 2_000
    backfill: Annotated[int, Field(ge=0, le=100_000)] | None = None
    format: JsonFormatConfig | None = None
    derived: dict[SourceName, StreamName] = {}
    files: dict[SourceName, HistoryFileConfig] = {}
    rollover_s: Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)] | None = None

    @property
    def is_of_files(self) -> bool:
        """Whether its bars are read from files."""
        return self.venue == FILE_VENUE

    @property
    def options(self) -> VenueOptions:
        """What the venue's codec is told."""
        credentials = None
        if self.key is not None:
            secret = "" if self.secret is None else self.secret.get_secret_value()
            credentials = Credentials(self.key.get_secret_value(), secret)
        return VenueOptions(
            url=self.url,
            history_url=self.history_url,
            credentials=credentials,
            format=None if self.format is None else self.format.made,
        )


class ComponentConfig(_Table):
    """``[containers.NAME.components.NAME]``: a registered type or ``package.module:Class``."""

    type: str
    config: dict[str, Any] = {}


class ContainerConfig(_Table):
    """``[containers.NAME]``."""

    role: Literal["processor"] = "processor"
    components: Annotated[dict[str, ComponentConfig], Field(min_length=1)]


class _OutputTable(_Table):
    """What every output has: which events, and what happens where it cannot keep up."""

    events: EventNames = list(OUTPUT_EVENTS)
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 4_096
    overflow: Literal["block", "drop_oldest", "latest", "disconnect"] = "block"


class JsonlConfig(_OutputTable):
    """``[outputs.NAME]`` with ``type = "jsonl"``; path ``-`` is standard output."""

    type: Literal["jsonl"]
    path: Annotated[str, Field(min_length=1)]


class ConsoleConfig(_OutputTable):
    """``[outputs.NAME]`` with ``type = "console"``: lines for a person, on standard output."""

    type: Literal["console"]


OutputConfig = Annotated[JsonlConfig | ConsoleConfig, Field(discriminator="type")]
OUTPUT_TYPES = ("jsonl", "console")


class Config(_Table):
    """A whole config file; ``origin`` names it in errors."""

    _origin: str = PrivateAttr("config")

    service: ServiceConfig = ServiceConfig()
    feeds: Annotated[dict[str, FeedConfig], Field(min_length=1)]
    containers: Annotated[dict[str, ContainerConfig], Field(min_length=1)]
    outputs: dict[str, OutputConfig] = {}

    @property
    def origin(self) -> str:
        """The file that it came from."""
        return self._origin


def _time(value: str) -> str:
    try:
        good = _TIME.fullmatch(value) and time.fromisoformat(value)
    except ValueError:
        good = None
    if good is None:
        raise ValueError("expected HH:MM, e.g. 09:30")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("expected a time zone, e.g. America/New_York") from None
    return value


def _date(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("expected a day, e.g. 2026-12-25") from None
    return value


class HoursConfig(_Table):
    """A calendar by hand: open on ``days`` from ``open`` to ``close`` in ``timezone``, but not on
    ``holidays``; ``early_closes`` names days that close at another time.
    """

    timezone: Annotated[str, AfterValidator(_zone)]
    open: Annotated[str, AfterValidator(_time)]
    close: Annotated[str, AfterValidator(_time)]
    days: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)
    ] = [
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
    ]
    holidays: list[Annotated[str, AfterValidator(_date)]] = []
    early_closes: dict[
        Annotated[str, AfterValidator(_date)], Annotated[str, AfterValidator(_time)]
    ] = {}


def _calendar_name(value: str) -> str:
    if not _CALENDAR.fullmatch(value):
        raise ValueError("expected an exchange, e.g. XNYS, or 24/7")
    return value


CalendarName = Annotated[str, AfterValidator(_calendar_name)]
CALENDAR_KINDS = ("name", "hours")


def _calendar_kind(value: Any) -> str:
    return "name" if isinstance(value, str) else "hours"


CalendarChoice = Annotated[
    Annotated[CalendarName, Tag("name")] | Annotated[HoursConfig, Tag("hours")],
    Discriminator(_calendar_kind),
]


class BarSynchronizerConfig(_Table):
    """The ``config`` of a ``BarSynchronizer``."""

    expected_sources: Annotated[list[SourceName], Field(min_length=1)]
    timeout_ms: Milliseconds = 100
    require_all: bool = True
    deadline_from: Literal["first_bar", "close"] = "first_bar"
    min_wait_ms: Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)] = 0.0
    missing: Literal["skip", "last_known", "interpolate"] = "skip"
    hold_ms: Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)] = 0.0
    allow_lookahead: bool = False
    max_age_ms: Count | None = None
    late: Literal["drop", "amend"] = "drop"
    allowed_lateness_ms: Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)] = 0.0
    idle_after: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    exclude_idle: bool = False
    calendars: dict[str, CalendarChoice] = {}
    max_future_ms: Annotated[int, Field(ge=0)] = 1_000
    max_open: Annotated[int, Field(ge=1, le=100_000)] = 64
    history: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    inbox: Count = 65_536


SourcePair = Annotated[list[SourceName], Field(min_length=2, max_length=2)]


class FeatureCalculatorConfig(_Table):
    """The ``config`` of a ``MultiSymbolFeatureCalculator``."""

    indicators: Annotated[list[Indicator], Field(min_length=1)] = [
        "sma",
        "rsi",
        "correlation",
        "spread",
    ]
    pairs: Annotated[list[SourcePair], Field(min_length=1)] | None = None


class StrategyRunnerConfig(_Table):
    """The ``config`` of a ``StrategyRunner``."""

    strategies: Annotated[list[StrategyTable], Field(min_length=1)]
    parallel: bool = True
    executor: Executor | None = None
    time_limit_ms: Milliseconds = 250
    max_faults: Annotated[int, Field(ge=0, le=1_000)] = 5


Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CostsConfig(_Table):
    """The ``costs`` of a ``Portfolio``."""

    commission_bps: Share = 0.0
    commission_per_unit: Share = 0.0
    slippage_bps: Annotated[float, Field(ge=0, lt=10_000, allow_inf_nan=False)] = 0.0


class LimitsConfig(_Table):
    """The ``limits`` of a ``Portfolio``."""

    max_units: Share | None = None
    max_notional: Share | None = None
    max_weight: Share | None = None
    max_gross_leverage: Share | None = None
    max_net_leverage: Share | None = None
    breach: Literal["refuse", "clip"] = "refuse"


class PortfolioConfig(_Table):
    """The ``config`` of a ``Portfolio``."""

    cash: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1_000_000.0
    decision_timeout_ms: Milliseconds = 500
    costs: CostsConfig | None = None
    limits: LimitsConfig | None = None


COMPONENT_CONFIGS: Mapping[str, type[BaseModel]] = {
    "BarSynchronizer": BarSynchronizerConfig,
    "MultiSymbolFeatureCalculator": FeatureCalculatorConfig,
    "StrategyRunner": StrategyRunnerConfig,
    "Portfolio": PortfolioConfig,
}
"""The registered component types and the tables that they take."""
