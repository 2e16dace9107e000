"""A short run of the fuzzer over every codec there is, and that it finds what is wrong."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.fuzz import checks, fuzzer
from tests.fuzz.corpus import Subject, subject
from tests.fuzz.fuzzer import Fuzzer, replay
from tests.fuzz.mutation import Mutator
from tests.fuzz.run import main

from barsync_async.messages import Bar
from barsync_async.simulation.venues import PROTOCOLS
from barsync_async.units import SourceId, WallMs
from barsync_async.venues import CODECS
from barsync_async.venues.history.exchange import HistoryPage, HistoryRequest, Span
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Rejection, Running

INPUTS = 1_500


@pytest.mark.parametrize("name", CODECS)
def test_no_mutant_breaks_a_codec_or_its_history(name: str, tmp_path: Path) -> None:
    one = Fuzzer(subject(name), 0, tmp_path, costs=False)
    for _ in range(INPUTS):
        one.step()
    assert [f"{each.problem}: {each.command}" for each in one.failures] == []


@pytest.mark.parametrize("name", [name for name in CODECS if name in PROTOCOLS])
def test_the_corpus_has_all_that_a_venue_says(name: str) -> None:
    one = subject(name)
    session = one.session()
    found = [item for frame in one.frames for item in session.receive(frame)]
    assert len(one.sources) >= 2
    assert any(isinstance(item, Bar | Running) for item in found)
    assert not any(isinstance(item, Rejection) and item.reason == "oversized" for item in found)
    if one.history is not None:
        pages = [one.history.receive(*asked) for asked in one.exchanges]
        assert any(isinstance(each, HistoryPage) and each.items for each in pages)


@pytest.mark.parametrize(
    ("name", "keys"),
    [("alpaca", "S T c i p s t x z"), ("polygon", "c ds ev i p q s sym t trfi trft x z")],
)
def test_the_corpus_has_all_fields_of_a_trade(name: str, keys: str) -> None:
    frames = [json.loads(frame) for frame in subject(name).frames if frame.startswith("[{")]
    found = [message for frame in frames for message in frame]
    assert any(sorted(message) == keys.split() for message in found)


def test_a_seed_gives_the_same_mutants() -> None:
    messages = ['{"a":[1,{"b":"x"}]}', "ping"]
    first, second = Mutator(7, messages), Mutator(7, messages)
    some = [first.mutant() for _ in range(200)]
    assert some == [second.mutant() for _ in range(200)]
    assert len(set(some)) > 100


class Faulty:
    """A session with a fault of every kind, each for one frame."""

    url, send_interval_ms, keep_alive, silence_ms = "ws://h", 1, None, None

    def opening_frames(self) -> Sequence[str]:
        return ()

    def unacknowledged(self) -> Sequence[SourceId]:
        return ()

    def receive(self, frame: str | bytes) -> Any:
        return FAULTS[str(frame)]() if frame in FAULTS else ()


def raises() -> Any:
    raise KeyError


def dawdles() -> Any:
    end = time.process_time_ns() + checks.MOST_NS + 5_000_000
    while time.process_time_ns() < end:
        pass
    return ()


def bar(symbol: str, open_: float = 1.0) -> Bar:
    return Bar(symbol, "1m", WallMs(60_000), open_, 1.0, 1.0, 1.0, 1.0)


FAULTS: dict[str, Callable[[], Any]] = {
    "raise": raises,
    "type": lambda: ("nonsense",),
    "detail": lambda: (Rejection("malformed", "x" * 513),),
    "stranger": lambda: (bar("X"),),
    "impossible": lambda: (Running(bar("A", 9.0)),),
    "slow": dawdles,
    "large": lambda: bytes(20_000_000)[:0] or (),
}


class FaultyCodec:
    name = "faulty"
    default_url = "ws://h"
    facts = CODECS["binance"].facts
    history = None

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        return None

    def stream(self, source: SourceId) -> str:
        return source

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> Faulty:
        return Faulty()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_written_down_once_and_can_be_replayed(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = FaultyCodec()
    planted = Subject("faulty", codec, VenueOptions(), [SourceId("A_1m")], [fault], ["{}"], [])
    monkeypatch.setattr(fuzzer, "subject", lambda name: planted)
    monkeypatch.setattr(fuzzer, "_MEMORY_EVERY", 1)
    one = Fuzzer(planted, 0, tmp_path)
    one.again({"frames": [{"text": fault}, {"text": fault}]})
    one.again({"frames": [{"text": fault}]})
    (failure,) = one.failures
    assert failure.path.exists()
    assert str(failure.path) in failure.command
    (again,) = replay(failure.path, tmp_path / "again")
    assert again.problem == failure.problem


def test_a_page_outside_its_span_or_that_follows_itself_is_found() -> None:
    span = Span(SourceId("A_1m"), WallMs(0), WallMs(60_000))
    request = HistoryRequest("https://h", {"page": "1"}, span)
    outside = Bar("A", "1m", WallMs(120_000), 1.0, 1.0, 1.0, 1.0, 1.0)
    for answer in (HistoryPage((outside,)), HistoryPage((), request), None, msgspec.Raw()):
        with pytest.raises(checks.Broken):
            checks.check_answer(answer, request)


def test_the_command_runs_so_many_inputs_and_prints_a_rate(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["--inputs", "60", "--codec", "binance", "--into", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    assert "binance" in done.output
    assert "60 inputs" in done.output
    unknown = CliRunner().invoke(main, ["--codec", "nasdaq"])
    assert unknown.exit_code == 2
    assert "no codec nasdaq" in unknown.output
