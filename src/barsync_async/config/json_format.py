"""``[feeds.NAME.format]``: an in-house feed's messages, as a config file describes them.

The keys are those of :class:`~barsync_async.venues.json_format.JsonFormat`, and mean the same.
"""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from barsync_async.venues.json_format import (
    JsonAcknowledgement,
    JsonError,
    JsonFormat,
    JsonMatch,
    TimeLabel,
    TimeUnit,
)
from barsync_async.venues.json_path import parse_path
from barsync_async.venues.keep_alive import KeepAlive


def _path(value: str) -> str:
    parse_path(value)
    return value


def _path_to_bars(value: str) -> str:
    parse_path(value, to_bars=True)
    return value


Path = Annotated[str, AfterValidator(_path)]
FieldPath = Annotated[str, Field(min_length=1), AfterValidator(_path)]
Milliseconds = Annotated[int, Field(ge=1, le=86_400_000)]
Scalar = str | int | float | bool


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MatchConfig(_Table):
    """``only`` and ``final``: the value at ``path`` is ``equals``, of the same type."""

    path: Path
    equals: Scalar


class AcknowledgementConfig(MatchConfig):
    """``acknowledgement``: a message that confirms a subscription."""

    symbol: Path | None = None
    timeframe: Path | None = None


class ErrorConfig(AcknowledgementConfig):
    """``error``: a message that refuses something."""

    text: Path | None = None
    final: bool = False


class KeepAliveConfig(_Table):
    """``keep_alive``: what the feed wants to hear, and how often."""

    text: Annotated[str, Field(min_length=1, max_length=1_000)]
    every_ms: Milliseconds
    only_in_silence: bool = False


class JsonFormatConfig(_Table):
    """The whole table; :attr:`made` is what a codec takes."""

    symbol: FieldPath
    time: FieldPath
    open: FieldPath
    high: FieldPath
    low: FieldPath
    close: FieldPath
    volume: FieldPath
    time_unit: TimeUnit
    time_label: TimeLabel
    timeframe: Path | None = None
    fixed_timeframe: str | None = None
    timeframe_names: dict[str, str | int] = {}
    symbol_template: str = "{symbol}"
    symbol_case: Literal["as is", "upper", "lower"] = "as is"
    symbol_names: dict[str, str] = {}
    subscribe: list[str] = []
    symbols_per_frame: Annotated[int, Field(ge=1, le=10_000)] = 100
    send_interval_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0
    frame: Literal["object", "array"] = "object"
    bars: Annotated[str, AfterValidator(_path_to_bars)] = ""
    only: MatchConfig | None = None
    final: MatchConfig | None = None
    finality: Literal["flag", "always", "later bar or clock"] | None = None
    acknowledgement: AcknowledgementConfig | None = None
    error: ErrorConfig | None = None
    ignore: list[str] = []
    keep_alive: KeepAliveConfig | None = None
    silence_ms: Milliseconds | None = None

    @model_validator(mode="after")
    def _is_sound(self) -> "JsonFormatConfig":
        """What only several keys together tell."""
        _ = self.made
        return self

    @property
    def made(self) -> JsonFormat:
        """The format that this table describes."""
        parts: dict[str, Any] = {
            "only": _made(JsonMatch, self.only),
            "final": _made(JsonMatch, self.final),
            "acknowledgement": _made(JsonAcknowledgement, self.acknowledgement),
            "error": _made(JsonError, self.error),
            "keep_alive": _made(KeepAlive, self.keep_alive),
            "subscribe": tuple(self.subscribe),
            "ignore": tuple(self.ignore),
        }
        plain = {name: getattr(self, name) for name in type(self).model_fields if name not in parts}
        return JsonFormat(**plain, **parts)


def _made(kind: type[msgspec.Struct], table: BaseModel | None) -> msgspec.Struct | None:
    return None if table is None else kind(**table.model_dump())
