"""The venue as a whole, moved by hand through time."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.simulation.actions import Action, Close, Lost, Send, Unheard
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import NS_PER_MS, Instant, MonoNs, SourceId, WallMs
from barsync_async.venues.binance import BinanceSession
from barsync_async.venues.outcomes import Acknowledged, GoingAway

WALL = WallMs(1_767_364_200_000)
STARTED = Instant(MonoNs(1_000), WALL)
PACED = {"pace_ms": 100, "start": 10_000, "duration_s": 2}
SOURCES = [SourceId("SPY_1s"), SourceId("QQQ_1s"), SourceId("SPY_5s")]


def at(ms: float) -> int:
    return STARTED.mono + round(ms * NS_PER_MS)


def open_venue(**tables: Any) -> SimulatedVenue:
    document = {"venue": PACED, "sources": {source: {} for source in SOURCES}} | tables
    return SimulatedVenue(parse_scenario(document, "x"), STARTED)


def to_the_end(venue: SimulatedVenue) -> Iterator[tuple[int, Action]]:
    while (when := venue.next_at()) is not None:
        for action in venue.advance(when):
            yield when, action
    assert venue.finished


def listen(venue: SimulatedVenue, client: int = 1, path: str = "/stream") -> BinanceSession:
    session = BinanceSession(SOURCES, f"ws://venue{path}")
    assert venue.connect(client, path, STARTED.mono) == []
    for frame in session.opening_frames():
        for action in venue.receive(client, frame, STARTED.mono):
            assert isinstance(action, Send)
            (answer,) = session.receive(action.text)
            assert isinstance(answer, Acknowledged)
    assert not session.unacknowledged()
    return session


def test_the_clients_codec_reads_the_very_bars_that_the_venue_means() -> None:
    for path in ("/ws", "/stream"):
        venue = open_venue(venue=PACED | {"running_ms": 30})
        session = listen(venue, path=path)
        finals = runnings = 0
        for _, action in to_the_end(venue):
            if isinstance(action, Send) and action.bar is not None:
                expected = (action.bar,) if action.final else ()
                assert session.receive(action.text) == expected
                finals += action.final
                runnings += not action.final
        assert finals == 20 + 20 + 4
        assert runnings > 60


def test_a_kline_has_the_fields_of_a_recorded_one() -> None:
    venue = open_venue()
    venue.connect(1, "/ws/spy@kline_1s", STARTED.mono)
    (action,) = (each for each in venue.advance(at(100)) if isinstance(each, Send))
    event = json.loads(action.text)
    kline = event["k"]
    assert event | {"k": 0} == {"e": "kline", "E": WALL + 100, "s": "SPY", "k": 0}
    assert list(kline) == list("tTsifLochlvnxqVQB")
    assert (kline["t"], kline["T"], kline["i"]) == (9_000, 9_999, "1s")
    assert kline["x"] is True
    assert kline["n"] == kline["L"] - kline["f"] + 1
    assert len(kline["o"].partition(".")[2]) == 8
    assert action.source == "SPY_1s"
    assert action.timestamp == 10_000


@given(st.integers(0, 2**32), st.sampled_from([0, 50, 400]))
@settings(max_examples=25)
def test_every_closed_bar_is_accounted_for(seed: int, max_ms: int) -> None:
    faults = {
        "delay": {"kind": "uniform", "max_ms": max_ms},
        "loss": 0.2,
        "duplicate": 0.2,
        "reorder": 0.2,
    }
    venue = open_venue(seed=seed, defaults=faults)
    venue.connect(1, "/ws/spy@kline_1s", STARTED.mono)
    fates: dict[str, Counter[Bar]] = {"sent": Counter(), "lost": Counter(), "unheard": Counter()}
    for when, action in to_the_end(venue):
        match action:
            case Send(bar=Bar() as bar):
                assert bar.source == "SPY_1s"
                fates["sent"][bar] += 1
            case Lost(bar):
                fates["lost"][bar] += 1
            case Unheard(bar):
                assert bar.source != "SPY_1s"
                fates["unheard"][bar] += 1
            case _:
                continue
        assert when >= at(100 * (bar.timestamp - 9_000) / 1_000)
    bars = [bar for each in fates.values() for bar in each]
    assert len(bars) == len(set(bars)) == 20 + 20 + 4
    assert set(fates["lost"].values()) <= {1}


def test_two_runs_are_byte_identical_however_often_time_is_asked() -> None:
    faults = {"delay": {"kind": "uniform", "max_ms": 300}, "loss": 0.1, "duplicate": 0.1}
    first, second = open_venue(defaults=faults), open_venue(defaults=faults)
    listen(first)
    listen(second)
    exact = [action for _, action in to_the_end(first)]
    often: list[Action] = []
    for ms in range(3_000):
        when = second.next_at()
        if when is not None and when <= at(ms):
            often += second.advance(when)
        often += second.advance(at(ms))
    assert [a for a in often if isinstance(a, Lost)] == [a for a in exact if isinstance(a, Lost)]
    assert [(a.source, a.timestamp) for a in often if isinstance(a, Send)] == [
        (a.source, a.timestamp) for a in exact if isinstance(a, Send)
    ]
    third = open_venue(defaults=faults)
    listen(third)
    assert exact == [action for _, action in to_the_end(third)]


def test_fates_do_not_depend_on_clients() -> None:
    faults = {"delay": {"kind": "uniform", "max_ms": 300}, "loss": 0.3}
    alone, watched = open_venue(defaults=faults), open_venue(defaults=faults)
    listen(watched)
    watched.connect(2, "/ws/spy@kline_1s", STARTED.mono)
    lost = [each for each in to_the_end(alone) if isinstance(each[1], Lost)]
    assert lost == [each for each in to_the_end(watched) if isinstance(each[1], Lost)]


def test_an_unknown_stream_is_accepted_and_never_produces() -> None:
    venue = open_venue()
    for client, path in enumerate(["/ws/SPY@kline_1s", "/ws/spy@kline_1M", "/ws/spy@trade"]):
        assert venue.connect(client, path, STARTED.mono) == []
    bars = [each for _, each in to_the_end(venue) if isinstance(each, Send) and each.bar]
    assert not bars


def test_one_who_subscribes_late_gets_no_bar_that_went_out_before() -> None:
    venue = open_venue()
    assert all(isinstance(each, Unheard) for each in venue.advance(at(950)))
    listen(venue)
    first = next(each for each in venue.advance(at(1_000)) if isinstance(each, Send))
    assert first.timestamp == 10_000 + 9 * 1_000


def test_a_flooding_client_is_closed_and_forgotten() -> None:
    venue = open_venue()
    listen(venue)
    actions = [a for _ in range(6) for a in venue.receive(1, "garbage", STARTED.mono)]
    assert actions[-1] == Close(1, 1008, "Too many requests")
    assert venue.receive(1, "garbage", STARTED.mono) == ()
    assert all(isinstance(each, Unheard) for each in venue.advance(at(500)))


def test_a_connection_that_cannot_be_is_closed_at_once() -> None:
    venue = open_venue()
    many = "/ws/" + "/".join(f"s{number}" for number in range(1_025))
    for path in ("/elsewhere", many):
        (action,) = venue.connect(1, path, STARTED.mono)
        assert isinstance(action, Close)
        assert action.code == 1008
    assert venue.receive(1, "x", STARTED.mono) == ()


def test_connections_are_cut_by_the_scenario_and_may_come_back() -> None:
    faults = {"disconnect_every_s": 0.5, "disconnect_jitter": 0.0, "abrupt": 0.5}
    venue = open_venue(faults=faults)
    codes = []
    listen(venue)
    for when, action in to_the_end(venue):
        if isinstance(action, Close):
            codes.append(action.code)
            venue.disconnect(1)
            venue.connect(1, "/ws", when)
    assert len(codes) == 4
    assert set(codes) == {1001, 1006}


def test_at_the_end_everybody_is_told_and_closed() -> None:
    venue = open_venue()
    raw, combined = listen(venue, 1, "/ws"), listen(venue, 2)
    *_, told_raw, close_raw, told_combined, close_combined = [a for _, a in to_the_end(venue)]
    assert isinstance(told_raw, Send)
    assert isinstance(told_combined, Send)
    assert isinstance(raw.receive(told_raw.text)[0], GoingAway)
    assert isinstance(combined.receive(told_combined.text)[0], GoingAway)
    assert isinstance(close_raw, Close)
    assert isinstance(close_combined, Close)
    assert (close_raw.code, close_combined.code) == (1001, 1001)
    assert isinstance(venue.connect(3, "/ws", at(9_999))[0], Close)
    assert venue.advance(at(9_999)) == ()


def test_without_a_duration_it_goes_on_and_runs_on_the_wall_clock() -> None:
    venue = open_venue(venue={})
    listen(venue)
    venue.advance(at(0))
    assert venue.next_at() == at(1_000)
    (spy, qqq) = venue.advance(at(1_003))
    assert isinstance(spy, Send)
    assert isinstance(qqq, Send)
    assert spy.timestamp == qqq.timestamp == WALL + 1_000
    assert json.loads(spy.text)["data"]["E"] == WALL + 1_003


def test_running_bars_are_not_made_up_for_and_wait_for_the_closed_one() -> None:
    slow = {"delay": {"kind": "constant", "ms": 50}}
    venue = open_venue(venue=PACED | {"running_ms": 10}, defaults=slow)
    listen(venue)
    sends = [each for each in venue.advance(at(90)) if isinstance(each, Send)]
    assert [each.final for each in sends] == [False] * 3
    venue.advance(at(100))
    assert venue.advance(at(140)) == []
    finals = [each for each in venue.advance(at(150)) if isinstance(each, Send) and each.final]
    assert [each.timestamp for each in finals] == [10_000] * 3


def test_a_revised_bar_goes_out_one_unit_short_and_then_as_it_is() -> None:
    venue = open_venue(defaults={"revise": 1.0, "revise_after_ms": 250})
    listen(venue)
    told: dict[tuple[str | None, int | None], list[tuple[int, Bar]]] = {}
    for when, action in to_the_end(venue):
        if isinstance(action, Send) and action.bar:
            told.setdefault((action.source, action.timestamp), []).append((when, action.bar))
    assert len(told) == 44
    for (first_at, first), (second_at, second) in told.values():
        assert second_at == first_at + 250 * NS_PER_MS
        assert second.volume == first.volume + 1
        assert (second.open, second.close) == (first.open, first.close)


def test_a_connection_lives_as_long_as_the_venue_lets_it() -> None:
    venue = open_venue(faults={"lifetime_s": 0.75})
    session = listen(venue)
    actions = list(to_the_end(venue))
    ends = [(when, each) for when, each in actions if isinstance(each, Close)]
    assert ends == [(at(750), Close(1, 1001, "the connection is too old"))]
    goodbye = next(each for _, each in actions if isinstance(each, Send) and each.bar is None)
    assert isinstance(session.receive(goodbye.text)[0], GoingAway)


def test_what_is_lost_on_the_wire_is_still_on_the_shelf() -> None:
    venue = open_venue(defaults={"loss": 1.0})
    lost = [each.bar for _, each in to_the_end(venue) if isinstance(each, Lost)]
    shelf = [quote.bar for source in SOURCES for quote in venue.closed(source)]
    assert len(shelf) == 44
    assert set(shelf) == set(lost)
