"""The table of one file of past bars, ``[feeds.NAME.files.SOURCE]``."""

import datetime as dt
from typing import Annotated, Any, Self

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)

from barsync_async.venues.history_format import (
    MAX_SCALE,
    PLACES,
    Column,
    Columns,
    FileFormat,
    Label,
    TimeUnit,
    check_delimiter,
    check_time_format,
    zone_named,
)

_MAX_COLUMNS = 10_000


def _path(value: str) -> str:
    if "\0" in value:
        raise ValueError("expected a path")
    return value


def _column(value: Any) -> Column:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_COLUMNS:
        return value
    raise ValueError("expected a column's name, or its place counted from 0")


def _time_column(value: Any) -> Column | tuple[Column, ...]:
    if isinstance(value, list | tuple) and value:
        return tuple(map(_column, value))
    return _column(value)


def _volume_column(value: Any) -> Column | None:
    return None if value is False or value is None else _column(value)


def _zone(value: str) -> str:
    zone_named(value)
    return value


def _day(value: Any) -> Any:
    """A day, or text that is one: TOML has days of its own, a dict or the environment may not."""
    if not isinstance(value, str):
        return value
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError("expected a day, e.g. 2013-10-07") from None


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ColumnsConfig(_Table):
    """``columns``: names, or places counted from 0. ``time`` may be a list; ``volume = false``
    where the file has none. What is not given is called as here, or without a header stands in
    this order.
    """

    time: Annotated[Column | tuple[Column, ...], PlainValidator(_time_column)] = "time"
    open: Annotated[Column, PlainValidator(_column)] = "open"
    high: Annotated[Column, PlainValidator(_column)] = "high"
    low: Annotated[Column, PlainValidator(_column)] = "low"
    close: Annotated[Column, PlainValidator(_column)] = "close"
    volume: Annotated[Column | None, PlainValidator(_volume_column)] = "volume"


class HistoryFileConfig(_Table):
    """``[feeds.NAME.files.SOURCE]``: where past bars of a source are, and how they are written.

    ``file_format`` gives the description that the reader takes.
    """

    path: Annotated[str, Field(min_length=1), AfterValidator(_path)]
    label: Label
    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    time_unit: TimeUnit = "iso"
    time_format: Annotated[str, AfterValidator(check_time_format)] | None = None
    date: Annotated[dt.date, BeforeValidator(_day)] | None = None
    columns: ColumnsConfig = ColumnsConfig()
    price_scale: Annotated[int, Field(ge=1, le=MAX_SCALE)] = 1
    header: bool = True
    delimiter: Annotated[str, AfterValidator(check_delimiter)] = ","

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        self.file_format()
        return self

    def file_format(self) -> FileFormat:
        """How the file's rows are to be understood."""
        usual = Columns() if self.header else PLACES
        given = {name: getattr(self.columns, name) for name in self.columns.model_fields_set}
        return FileFormat(
            label=self.label,
            columns=msgspec.structs.replace(usual, **given),
            timezone=self.timezone,
            time_unit=self.time_unit,
            time_format=self.time_format,
            date=self.date,
            price_scale=self.price_scale,
            header=self.header,
            delimiter=self.delimiter,
        )
