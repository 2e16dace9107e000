"""A file of past bars is read whole and in order, or refused in one clear sentence."""

import csv
import datetime as dt
import gzip
import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from barsync_async.errors import BarsyncError, HistoryError
from barsync_async.messages import Bar
from barsync_async.shell.histories import history_csv
from barsync_async.shell.histories.history_reader import History, open_history
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history_format import PLACES, Columns, FileFormat
from barsync_async.venues.outcomes import Rejection

SPY = SourceId("SPY_1m")
MINUTE = 60_000
FORM = FileFormat(label="close", time_unit="ms")
BARE = FileFormat(label="close", time_unit="ms", header=False, columns=PLACES)
HEADER = "time,open,high,low,close,volume\n"


def row(minute: int, close: float = 1.0) -> str:
    return f"{minute * MINUTE},{close},{close},{close},{close},1\n"


def bar(minute: int, close: float = 1.0) -> Bar:
    return create_bar(SPY, minute * MINUTE, close)


def text(*minutes: int) -> str:
    return HEADER + "".join(map(row, minutes))


def items(history: History, rows: int = 1_000) -> Sequence[Bar | Rejection]:
    return [item for chunk in history.chunks(rows) for item in chunk]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes | bytearray, name: str = "bars.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def zipped(*members: tuple[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def failure(path: Path, form: FileFormat = FORM) -> str:
    with pytest.raises(HistoryError) as raised:
        items(open_history(path, SPY, form))
    assert isinstance(raised.value, BarsyncError)
    assert raised.value.path == str(path)
    message = str(raised.value)
    prefix = f"history {path}: "
    assert message.startswith(prefix)
    return message.removeprefix(prefix)


def test_an_ascending_file_comes_out_as_it_stands(written: Callable[..., Path]) -> None:
    history = open_history(written(text(1, 2, 4)), SPY, FORM)
    assert items(history) == [bar(1), bar(2), bar(4)]
    assert history.survey.order == "ascending"
    assert (history.survey.first, history.survey.last) == (MINUTE, 4 * MINUTE)
    assert (history.path.name, history.source, history.form) == ("bars.csv", SPY, FORM)


def test_a_history_can_be_read_again(written: Callable[..., Path]) -> None:
    history = open_history(written(text(1, 2)), SPY, FORM)
    assert items(history) == items(history)


def test_the_newest_first_come_out_last(written: Callable[..., Path]) -> None:
    history = open_history(written(text(4, 2, 1)), SPY, FORM)
    assert items(history) == [bar(1), bar(2), bar(4)]
    assert (history.survey.order, history.survey.out_of_order) == ("descending", 0)


def test_a_file_in_no_order_is_sorted_and_says_how_many_were_out_of_it(
    written: Callable[..., Path],
) -> None:
    history = open_history(written(text(1, 3, 2, 4)), SPY, FORM)
    assert items(history) == [bar(1), bar(2), bar(3), bar(4)]
    assert (history.survey.order, history.survey.out_of_order) == ("mixed", 1)


@pytest.mark.parametrize("minutes", [(1, 2, 3), (3, 2, 1)])
def test_a_repeated_timestamp_comes_out_twice_as_it_stands(
    minutes: Sequence[int], written: Callable[..., Path]
) -> None:
    lines = [HEADER]
    for minute in minutes:
        lines += [row(minute, 5.0), row(minute, 4.0)]
    bars = items(open_history(written("".join(lines)), SPY, FORM))
    assert bars == [bar(minute, close) for minute in (1, 2, 3) for close in (5.0, 4.0)]


def test_a_row_that_is_no_bar_is_a_rejection_in_its_place_with_its_line(
    written: Callable[..., Path],
) -> None:
    lines = [row(1), "\n", row(2).replace("1.0", "x", 1), '3,"\n', " \t\n", row(4)]
    first, second, third, last = items(open_history(written(HEADER + "".join(lines)), SPY, FORM))
    assert (first, last) == (bar(1), bar(4))
    assert second == Rejection("malformed", "line 4: open 'x' is no number: 120000,x,1.0,1.0,1.0,1")
    assert third == Rejection("malformed", 'line 5: unexpected end of data: 3,"')


def test_a_quote_that_is_never_closed_spoils_its_own_line_alone(
    written: Callable[..., Path],
) -> None:
    history = open_history(written(text(1) + '"120000,1,1,1,1,1\n' + row(3)), SPY, FORM)
    assert (history.survey.bars, history.survey.rejections) == (2, 1)


def test_chunks_are_no_larger_than_asked_for(written: Callable[..., Path]) -> None:
    for minutes in (range(1, 12), range(11, 0, -1)):
        history = open_history(written(text(*minutes)), SPY, FORM)
        assert [len(chunk) for chunk in history.chunks(4)] == [4, 4, 3]


def test_an_ascending_file_is_read_no_further_than_asked(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    history = open_history(written(text(*range(1, 1_000))), SPY, FORM)
    seen = 0
    read = history_csv._item

    def counted(*arguments: Any) -> Bar | Rejection:
        nonlocal seen
        seen += 1
        return read(*arguments)

    monkeypatch.setattr(history_csv, "_item", counted)
    chunks = history.chunks(10)
    next(chunks)
    assert seen == 10


def test_a_file_that_was_altered_after_it_was_opened_is_noticed(
    written: Callable[..., Path],
) -> None:
    history = open_history(written(text(1, 2, 3)), SPY, FORM)
    written(text(2, 1, 3))
    with pytest.raises(HistoryError, match="was changed while it was read"):
        items(history)
    history.path.unlink()
    with pytest.raises(HistoryError, match="cannot be read: No such file"):
        items(history)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + text(1, 2),
        text(1, 2).replace("\n", "\r\n"),
        text(1, 2).replace("\n", "\r"),
        "\n\n" + text(1, 2).rstrip("\n"),
        text(1, 2).replace(",", ", "),
        text(1, 2).upper(),
        '"time","open","high","low","close","volume"\n' + row(1) + row(2),
    ],
    ids=["mark", "crlf", "cr", "bare end", "spaces", "capitals", "quotes"],
)
def test_the_ways_to_write_a_csv_file_are_all_understood(
    content: str, written: Callable[..., Path]
) -> None:
    assert items(open_history(written(content), SPY, FORM)) == [bar(1), bar(2)]


@pytest.mark.parametrize("name", ["bars.csv.gz", "bars.gz", "bars.csv"])
def test_a_gzip_file_is_one_whatever_it_is_called(name: str, written: Callable[..., Path]) -> None:
    path = written(gzip.compress(text(2, 1).encode()), name)
    assert items(open_history(path, SPY, FORM)) == [bar(1), bar(2)]


@pytest.mark.parametrize("name", ["bars.zip", "bars.csv"])
def test_the_one_member_of_a_zip_is_read(name: str, written: Callable[..., Path]) -> None:
    packed = zipped(("day/bars.csv", text(1, 2)), ("__MACOSX/day/._bars.csv", "x"), ("day/", ""))
    assert items(open_history(written(packed, name), SPY, FORM)) == [bar(1), bar(2)]


def test_a_missing_file_a_directory_and_a_device_are_no_histories(tmp_path: Path) -> None:
    assert failure(tmp_path / "none.csv") == "cannot be read: No such file or directory"
    assert failure(tmp_path) == "is no regular file"
    assert failure(Path("/dev/null")) == "is no regular file"
    assert failure(tmp_path / "a\0b") == "cannot be read: embedded null byte"
    assert failure(tmp_path / ("n" * 300)) == "cannot be read: File name too long"


def test_a_file_that_one_may_not_read_says_so(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(text(1))

    def refuse(*arguments: Any, **named: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert failure(path) == "cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        ("", FORM, "is empty; expected a header"),
        (" \n\n", FORM, "is empty; expected a header"),
        ("", BARE, "is empty; expected bars of SPY_1m"),
        (HEADER, FORM, "is empty; expected bars of SPY_1m"),
        (text(1).replace("time", "when"), FORM,
         "no column 'time'; there are when, open, high, low, close, volume"),
        (row(1), FORM,
         "no column 'time', 'open', 'high', 'low', 'close', 'volume'; there are 60000, 1.0, 1.0"),
        (text(1).replace("time", '"time"x'), FORM, "line 1: expected a header: "),
        (text(1), FileFormat(label="close", delimiter=";", time_unit="ms"), "no column 'time'"),
        (text(1), FileFormat(label="close"), "none of its 1 row is a bar of SPY_1m; line 2: time"),
        (HEADER + "30000,1,1,1,1,1\n", FORM, "none of its 1 row is a bar of SPY_1m; line 2: no"),
        (text(1).encode("utf-16"), FORM, "is not UTF-8 text; expected CSV"),
        (text(1).encode() + b"\xff\xfe", FORM, "is not UTF-8 text; expected CSV"),
        (bytes(range(128)) * 10, BARE, "none of its"),
        ("x" * 100_000, FORM, "line 1 is longer than 65536 characters; expected CSV"),
        (text(1) + "x" * 100_000, FORM, "line 3 is longer than 65536 characters; expected CSV"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_was_said_is_refused_with_what_was_expected(
    content: str | bytes, form: FileFormat, why: str, written: Callable[..., Path]
) -> None:
    assert failure(written(content), form).startswith(why)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bars.zip", "is called .zip but holds no zip data"),
        ("bars.csv.gz", "is called .gz but holds no gzip data"),
        ("bars.PARQUET", "is called .PARQUET but holds no Parquet data"),
    ],
)
def test_a_name_that_says_something_else_than_the_content_is_noticed(
    name: str, why: str, written: Callable[..., Path]
) -> None:
    assert failure(written(text(1), name)) == why


def test_a_damaged_or_cut_gzip_file_says_so(written: Callable[..., Path]) -> None:
    packed = bytearray(gzip.compress(text(*range(1, 500)).encode()))
    assert failure(written(packed[:-100])).startswith("is damaged or cut off: ")
    packed[-1] ^= 1
    assert failure(written(packed)).startswith("is damaged or cut off: ")
    assert failure(written(packed[:20] + bytes(200))).startswith("is damaged or cut off: ")


def test_a_zip_of_several_or_no_files_or_a_damaged_or_encrypted_one_says_so(
    written: Callable[..., Path],
) -> None:
    several = zipped(("a.csv", text(1)), ("b.csv", text(2)))
    assert failure(written(several)) == "holds 2 files (a.csv, b.csv); expected one"
    assert failure(written(zipped(("day/", "")))) == "is empty"
    good = zipped(("a.csv", text(*range(1, 500))))
    assert failure(written(good[:-30])) == "is damaged or cut off: File is not a zip file"
    broken = bytearray(good)
    broken[60] ^= 0xFF
    assert failure(written(broken)).startswith("is damaged or cut off: ")
    nameless = good.replace(b"a.csv", b"\0\0\0\0\0")
    assert items(open_history(written(nameless), SPY, FORM))[0] == bar(1)
    encrypted = bytearray(good)
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    assert failure(written(encrypted)) == "is encrypted"
    unknown = bytearray(good)
    unknown[unknown.index(b"PK\x01\x02") + 10] = 99
    assert "compression" in failure(written(unknown))


@pytest.mark.parametrize("pack", [gzip.compress, lambda raw: zipped(("a.csv", raw.decode()))])
@pytest.mark.parametrize("filling", [b"\n", b" \n", b"0" * 60_000 + b"\n"])
def test_a_bomb_is_given_up_early(
    pack: Callable[[bytes], bytes],
    filling: bytes,
    written: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_csv, "_MIN_UNPACKED", 100_000)
    size = 2_000_000
    bomb = pack(HEADER.encode() + filling * (size // len(filling)))
    assert failure(written(bomb)) == "unpacks to more than 200 times its size"


def test_a_csv_file_inside_of_which_is_parquet_is_refused(written: Callable[..., Path]) -> None:
    packed = zipped(("bars.parquet", "PAR1" + "\0" * 100))
    assert failure(written(packed)).startswith("no column 'time', 'open', 'high',")


@given(content=st.binary(max_size=300), form=st.sampled_from([FORM, BARE]))
def test_whatever_bytes_a_file_holds_it_is_read_or_refused(
    content: bytes, form: FileFormat
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for beginning in (b"", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", HEADER.encode()):
            path = Path(folder) / "bars"
            path.write_bytes(beginning + content)
            try:
                read = items(open_history(path, SPY, form))
            except HistoryError as error:
                assert "\n" not in str(error)  # noqa: PT017 - either way is good
            else:
                assert read


NEW_YORK = ZoneInfo("America/New_York")
ORDERS: list[Callable[[list[Bar]], list[Bar]]] = [
    lambda bars: sorted(bars, key=lambda each: each.timestamp),
    lambda bars: sorted(bars, key=lambda each: -each.timestamp),
    lambda bars: bars,
]
PER_MS = {"ms": 1, "us": 1_000, "ns": 1_000_000}


@st.composite
def bars_at(draw: st.DrawFn, scale: int) -> Bar:
    minute = draw(st.integers(1, 40_000_000))
    low, *between, high = sorted(draw(st.lists(st.integers(1, 10**9), min_size=4, max_size=4)))
    opened, close = draw(st.permutations(between))
    volume = draw(st.floats(0, 1e12, allow_nan=False))
    return Bar(
        "SPY", "1m", WallMs(minute * MINUTE),
        opened / scale, high / scale, low / scale, close / scale, volume,
    )  # fmt: skip


def wall(timestamp: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(timestamp / 1_000, NEW_YORK).replace(tzinfo=None)


def is_plain(timestamp: int) -> bool:
    """Whether the clock in New York showed this once."""
    local = wall(timestamp).replace(tzinfo=NEW_YORK)
    return local.utcoffset() == local.replace(fold=1).utcoffset()


def time_text(timestamp: int, form: FileFormat) -> str:
    match form.time_unit:
        case "iso" if form.time_format is not None:
            return wall(timestamp).strftime(form.time_format)
        case "iso" if form.timezone is not None:
            return wall(timestamp).isoformat(" ")
        case "iso":
            return dt.datetime.fromtimestamp(timestamp / 1_000, dt.UTC).isoformat()
        case "s":
            return str(timestamp // 1_000)
    return str(timestamp * PER_MS[form.time_unit])


def rows_of(bars: Sequence[Bar], form: FileFormat) -> list[dict[str, str]]:
    before = MINUTE if form.label == "open" else 0
    return [
        {
            "time": time_text(each.timestamp - before, form),
            **{
                name: repr(getattr(each, name))
                if form.price_scale == 1
                else str(round(getattr(each, name) * form.price_scale))
                for name in ("open", "high", "low", "close")
            },
            "volume": repr(each.volume),
        }
        for each in bars
    ]


TIMES = st.sampled_from(
    [
        {"time_unit": "iso"},
        {"time_unit": "iso", "timezone": "America/New_York"},
        {"timezone": "America/New_York", "time_format": "%d.%m.%Y %I:%M %p"},
        {"timezone": "America/New_York", "time_format": "%Y%m%d %H%M%S"},
        *({"time_unit": unit} for unit in ("s", *PER_MS)),
    ]
)


@given(
    data=st.data(),
    times=TIMES,
    label=st.sampled_from(["open", "close"]),
    scale=st.sampled_from([1, 100, 10_000, 8]),
    header=st.booleans(),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    order=st.sampled_from(ORDERS),
    pack=st.sampled_from([bytes, gzip.compress]),
)
def test_bars_written_in_any_format_are_read_back_the_same(
    data: st.DataObject,
    times: dict[str, Any],
    label: Any,
    scale: int,
    header: bool,
    delimiter: str,
    order: Callable[[list[Bar]], list[Bar]],
    pack: Callable[[bytes], bytes],
) -> None:
    form = FileFormat(
        label=label, **times, price_scale=scale, header=header, delimiter=delimiter,
        columns=Columns() if header else PLACES,
    )  # fmt: skip
    drawn = data.draw(st.lists(bars_at(scale), min_size=1, max_size=20))
    before = MINUTE if label == "open" else 0
    bars = [each for each in order(drawn) if is_plain(each.timestamp - before)]
    assume(bars)
    names = ["time", "open", "high", "low", "close", "volume"]
    if header:
        names = data.draw(st.permutations(["symbol", *names]))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="SPY", delimiter=delimiter)
    if header:
        writer.writeheader()
    writer.writerows(rows_of(bars, form))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars"
        path.write_bytes(pack(out.getvalue().encode()))
        read = items(open_history(path, SPY, form), rows=3)
    assert read == sorted(bars, key=lambda each: each.timestamp)


@given(
    day=st.dates(dt.date(1970, 1, 2), dt.date(2037, 12, 31)),
    minutes=st.sets(st.integers(0, 1_439), min_size=1, max_size=20),
)
def test_the_minutes_of_a_day_are_read_by_the_clock_of_their_zone(
    day: dt.date, minutes: set[int]
) -> None:
    form = FileFormat(
        label="open", timezone="America/New_York", time_unit="ms_of_day", date=day, header=False,
        columns=PLACES,
    )  # fmt: skip
    midnight = dt.datetime.combine(day, dt.time(), NEW_YORK)
    opened = [midnight + dt.timedelta(minutes=each) for each in sorted(minutes)]
    plain = [each for each in opened if each.utcoffset() == each.replace(fold=1).utcoffset()]
    assume(plain)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.csv"
        path.write_text("".join(f"{each * MINUTE},1,1,1,1,1\n" for each in sorted(minutes)))
        history = open_history(path, SPY, form)
    closes = [round(each.timestamp() * 1_000) + MINUTE for each in plain]
    assert history.survey.first == closes[0]
    assert history.survey.last == closes[-1]
    assert history.survey.rejections == len(opened) - len(plain)
