"""A Parquet file's columns are read as what they are, whatever types hold the times and prices."""

import datetime as dt
import sys
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.errors import HistoryError
from barsync_async.messages import Bar
from barsync_async.shell.histories import history_parquet
from barsync_async.shell.histories.history_reader import open_history
from barsync_async.testing import create_bar
from barsync_async.units import SourceId
from barsync_async.venues.history_format import Columns, FileFormat
from barsync_async.venues.outcomes import Rejection

pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")

SPY = SourceId("SPY_1m")
MINUTE = 60_000
NAMES = ("open", "high", "low", "close", "volume")
UTC = FileFormat(label="close", timezone="UTC")
TYPES = [
    *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")),
    pa.timestamp("us", "America/New_York"),
    pa.timestamp("ns", "+09:00"),
]


def table(times: Any, closes: Sequence[Any] | Any | None = None) -> dict[str, Any]:
    prices = pa.array([1.0] * len(times)) if closes is None else closes
    return {"time": times, **dict.fromkeys(NAMES, prices)}


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    arrays = list(columns.values())
    pq.write_table(pa.table(arrays, names=list(columns)), path, **options)
    return path


def moments(minutes: Sequence[int], kind: Any) -> Any:
    per_unit = {"s": 60, "ms": 60_000, "us": 60_000_000, "ns": 60_000_000_000}[kind.unit]
    return pa.array([each * per_unit for each in minutes], pa.int64()).cast(kind)


def read(path: Path, form: FileFormat = UTC, source: str = SPY) -> Sequence[Bar | Rejection]:
    history = open_history(path, SourceId(source), form)
    return [item for chunk in history.chunks() for item in chunk]


def bar(minute: int, close: float = 1.0) -> Bar:
    return create_bar(SPY, minute * MINUTE, close, volume=close)


def failure(path: Path, form: FileFormat = UTC) -> str:
    with pytest.raises(HistoryError) as raised:
        read(path, form)
    return raised.value.detail


@pytest.mark.parametrize("kind", TYPES, ids=str)
@pytest.mark.parametrize("minutes", [(1, 2, 3), (3, 2, 1)])
def test_a_time_column_is_read_by_its_own_type(
    kind: Any, minutes: Sequence[int], tmp_path: Path
) -> None:
    path = write(tmp_path / "bars.parquet", table(moments(minutes, kind)))
    assert read(path) == [bar(1), bar(2), bar(3)]


def test_times_without_a_zone_are_those_of_the_formats_zone(tmp_path: Path) -> None:
    path = write(tmp_path / "bars.parquet", table(moments([1], pa.timestamp("us"))))
    form = FileFormat(label="open", timezone="America/New_York")
    assert read(path, form) == [bar(1 + 300 + 1)]


def test_the_hour_that_came_twice_is_refused_row_by_row(tmp_path: Path) -> None:
    walls = [dt.datetime(2019, 11, 3, hour, 30) for hour in (0, 1, 2)]  # noqa: DTZ001 - on a wall
    path = write(tmp_path / "b.parquet", table(pa.array(walls, pa.timestamp("ns"))))
    first, second, third = read(path, FileFormat(label="close", timezone="America/New_York"))
    assert isinstance(first, Bar)
    assert isinstance(third, Bar)
    assert third.timestamp - first.timestamp == 3 * 60 * MINUTE
    assert isinstance(second, Rejection)
    assert second.reason == "wall_time"
    assert second.detail.startswith("row 2: time 2019-11-03T01:30:00 came twice")


def test_times_without_a_zone_in_a_format_without_one_are_refused_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "b.parquet", table(moments([1], pa.timestamp("us"))))
    expected = "column 'time' holds times without an offset; timezone is needed"
    assert failure(path, FileFormat(label="close")) == expected


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_a_day_is_its_midnight(kind: Any, tmp_path: Path) -> None:
    days = pa.array([dt.date(1970, 1, 2)], kind)
    (only,) = read(write(tmp_path / "b.parquet", table(days)), source="SPY_1d")
    assert isinstance(only, Bar)
    assert only.timestamp == 24 * 60 * MINUTE


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        (pa.array(["1970-01-01T00:01Z"]), "iso"),
        (pa.array(["1970-01-01T00:01Z"]).dictionary_encode(), "iso"),
        (pa.array([60]), "s"),
        (pa.array([60.0]), "s"),
        (pa.array([60], pa.uint32()), "s"),
        (pa.array([60_000_000_000]), "ns"),
        (pa.array([Decimal("60.000")]), "s"),
    ],
)
def test_text_and_numbers_are_read_as_the_format_says(
    times: Any, unit: Any, tmp_path: Path
) -> None:
    path = write(tmp_path / "b.parquet", table(times))
    assert read(path, FileFormat(label="close", time_unit=unit)) == [bar(1)]


@pytest.mark.parametrize(
    ("prices", "scale"),
    [
        (pa.array([1.5]), 1),
        (pa.array([1.5], pa.float32()), 1),
        (pa.array([15_000]), 10_000),
        (pa.array([Decimal("1.50")]), 1),
        (pa.array(["1.5"]), 1),
    ],
)
def test_a_price_may_be_any_kind_of_number(prices: Any, scale: int, tmp_path: Path) -> None:
    columns = table(moments([1], pa.timestamp("ms")), prices) | {"volume": pa.array([1.5])}
    form = FileFormat(label="close", timezone="UTC", price_scale=scale)
    assert read(write(tmp_path / "b.parquet", columns), form) == [bar(1, 1.5)]


def test_what_is_missing_or_no_number_is_a_rejection_with_its_row(tmp_path: Path) -> None:
    times = moments([1, 2, 3, 4], pa.timestamp("ms")).to_pylist()
    times[2] = None
    closes = pa.array([1.0, None, 1.0, float("nan")])
    columns = table(pa.array(times, pa.timestamp("ms")), closes)
    first, *others = read(write(tmp_path / "b.parquet", columns))
    assert isinstance(first, Bar)
    reasons = [(each.reason, each.detail) for each in others if isinstance(each, Rejection)]
    assert [reason for reason, _ in reasons] == ["malformed", "malformed", "invalid"]
    assert reasons[0][1].startswith("row 2: open (empty) is no number: 120000,")
    assert reasons[1][1].startswith("row 3: time (empty) is no number: ,1.0,")
    assert reasons[2][1].startswith("row 4: a price is not a finite number")


def test_moments_beyond_all_calendars_are_rejections(tmp_path: Path) -> None:
    for kind in (pa.timestamp("ms"), pa.timestamp("ms", "UTC"), pa.timestamp("us")):
        times = pa.array([60_000_000, 2**63 - 1, -(2**63)], pa.int64()).cast(kind)
        path = write(tmp_path / "b.parquet", table(times))
        assert [type(each) for each in read(path)] == [Bar, Rejection, Rejection]


def test_a_date_and_a_time_of_day_may_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    columns = table(pa.array([dt.date(1970, 1, 1)]))
    columns["clock"] = pa.array([dt.time(0, 1)])
    form = FileFormat(label="close", timezone="UTC", columns=Columns(time=("time", "clock")))
    assert read(write(tmp_path / "b.parquet", columns), form) == [bar(1)]


def test_only_the_columns_that_are_named_are_read(tmp_path: Path) -> None:
    columns = {"junk": pa.array([[1, 2]]), **table(moments([1], pa.timestamp("ms")))}
    columns["a.b"] = columns.pop("close")
    form = FileFormat(label="close", timezone="UTC", columns=Columns(time=1, close="a.b"))
    assert read(write(tmp_path / "b.parquet", columns), form) == [bar(1)]


def test_row_groups_and_batches_do_not_show(tmp_path: Path) -> None:
    minutes = range(1, 40_000)
    path = write(tmp_path / "b.parquet", table(moments(minutes, pa.timestamp("ms"))),
                 row_group_size=777)  # fmt: skip
    history = open_history(path, SPY, UTC)
    assert history.survey.bars == 39_999
    chunks = list(history.chunks())
    assert [len(chunk) for chunk in chunks] == [16_384, 16_384, 7_231]
    assert [each.timestamp for chunk in chunks for each in chunk if isinstance(each, Bar)] == [
        minute * MINUTE for minute in minutes
    ]


def test_a_file_without_a_wanted_column_or_without_a_row_says_so(tmp_path: Path) -> None:
    columns = table(moments([1], pa.timestamp("ms")))
    without = {name: each for name, each in columns.items() if name != "low"}
    path = write(tmp_path / "b.parquet", without)
    assert failure(path) == "no column 'low'; there are time, open, high, close, volume"
    path = write(path, table(moments([], pa.timestamp("ms"))))
    assert failure(path) == "is empty; expected bars of SPY_1m"
    twice = pa.table([*columns.values(), columns["low"]], names=[*columns, "low"])
    pq.write_table(twice, path)
    assert failure(path).startswith("2 columns 'low'; there are")
    places = Columns("time", 1, 2, 3, 4, 5)
    assert failure(path, FileFormat(label="close", timezone="UTC", columns=places)) == (
        "2 columns 'low'"
    )


@pytest.mark.parametrize(
    "values",
    [
        pa.array([{"value": 1.0}]),
        pa.array([[1.0]]),
        pa.array([True]),
        pa.array([b"1"]),
        pa.array([dt.datetime(2019, 2, 15, tzinfo=dt.UTC)]),
    ],
    ids=lambda each: str(each.type),
)
def test_what_is_no_kind_of_number_is_no_price(values: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "b.parquet", table(moments([1], pa.timestamp("ms")), values))
    assert failure(path).startswith("none of its 1 row is a bar of SPY_1m; row 1: open ")


def test_a_damaged_or_cut_file_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "b.parquet", table(moments(range(1, 50), pa.timestamp("ms"))))
    content = path.read_bytes()
    for length in range(4, len(content), 50):
        path.write_bytes(content[:length])
        assert failure(path).startswith("is damaged or no Parquet file: ")
    path.write_bytes(b"PAR1" + b"\xff" * 200 + b"PAR1")
    assert failure(path).startswith("is damaged or no Parquet file: ")
    path.write_bytes(content[:4] + b"\xff" * 60 + content[64:])
    assert failure(path).startswith("is damaged or no Parquet file: ")


def test_a_bomb_is_given_up_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "b.parquet", table(moments([1] * 200_000, pa.timestamp("ms"))))
    monkeypatch.setattr(history_parquet, "_MIN_ROWS", 1_000)
    assert failure(path) == "claims 200000 rows, too many for its size"


def test_without_the_package_the_way_to_get_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "b.parquet", table(moments([1], pa.timestamp("ms"))))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert failure(path) == (
        "is a Parquet file, which needs the package pyarrow: pip install 'barsync-async[parquet]'"
    )


PRICES = st.floats(1e-9, 1e12)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, *between, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
    opened, close = draw(st.permutations(between))
    minute = draw(st.integers(1, 100_000_000))
    return create_bar(
        SPY, minute * MINUTE, close, open=opened, high=high, low=low,
        volume=draw(st.floats(0, 1e12)),
    )  # fmt: skip


@given(
    drawn=st.lists(bars(), min_size=1, max_size=20),
    kind=st.sampled_from(TYPES),
    order=st.sampled_from([sorted, lambda each: each, lambda each: sorted(each)[::-1]]),
    label=st.sampled_from(["open", "close"]),
)
def test_bars_written_with_any_type_of_time_are_read_back_the_same(
    drawn: list[Bar], kind: Any, order: Callable[[list[int]], list[int]], label: Any
) -> None:
    stamps = order([each.timestamp for each in drawn])
    before = 1 if label == "open" else 0
    columns = {
        "time": moments([each // MINUTE - before for each in stamps], kind),
        **{name: pa.array([getattr(each, name) for each in drawn]) for name in NAMES},
    }
    expected = [
        create_bar(
            SPY, stamp, each.close, open=each.open, high=each.high, low=each.low,
            volume=each.volume,
        )
        for stamp, each in zip(stamps, drawn, strict=True)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "bars.parquet", columns)
        out = read(path, FileFormat(label=label, timezone="UTC"))
    assert out == sorted(expected, key=lambda each: each.timestamp)
