"""OKX's server, to the polite and to the hostile, and against the client's codec."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.venues.client import Client, at, open_venue, past

from barsync_async.messages import Bar
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Violation
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.simulation.venues.okx import (
    MOST_BYTES,
    NO_DATA,
    REQUESTS_PER_HOUR,
    TOO_LONG,
    OkxLine,
    OkxProtocol,
    OkxServer,
)
from barsync_async.simulation.venues.okx_rest import OLD, RECENT, REQUESTS
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.history.okx import OkxHistory
from barsync_async.venues.okx import OkxCodec, OkxSession
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Acknowledged, GoingAway, Refusal

SECOND = 1_000_000_000
CLOSE = 1_775_521_800_000
BTC, ETH, BTC6 = SourceId("BTC/USDT_1m"), SourceId("ethusdt_1m"), SourceId("BTC-USDT_6h")
ARG = {"channel": "candle1m", "instId": "BTC-USDT"}


def now_at(seconds: float = 0) -> Instant:
    return Instant(MonoNs(round(seconds * SECOND)), WallMs(CLOSE + round(seconds * 1_000)))


def quote(number: int = 0, source: SourceId = BTC, *, volume: int = 7, final: bool = True) -> Quote:
    candle = Candle(2.0, 4.0, 1.0, 3.0, volume, volume, 1 if volume else -1)
    symbol, _, timeframe = source.rpartition("_")
    timestamp = WallMs(CLOSE + number * 60_000)
    return Quote(candle.bar(symbol, timeframe, timestamp), candle, final=final)


class Shelf:
    """Closed bars of BTC and, unless it is quiet, one under way."""

    def __init__(self, bars: int = 6, *, quiet: bool = False) -> None:
        self.bars = bars
        self.quiet = quiet

    def closed(self, source: SourceId) -> Sequence[Quote]:
        return [quote(n, volume=n % 2) for n in range(self.bars)] if source == BTC else []

    def running(self, source: SourceId) -> Quote | None:
        return None if self.quiet or source != BTC else quote(self.bars, final=False)


def server(bars: int = 6, *, quiet: bool = False) -> OkxServer:
    return OkxProtocol().serve([BTC, ETH, BTC6], Shelf(bars, quiet=quiet))


def line(path: str = "/ws/v5/business") -> OkxLine:
    return server(quiet=True).accept(path, now_at())


def arg(channel: str = "candle1m", inst_id: str = "BTC-USDT") -> dict[str, str]:
    return {"channel": channel, "instId": inst_id}


def request(*args: Any, op: str = "subscribe", **more: Any) -> str:
    return json.dumps({"id": "1", "op": op, "args": args or [ARG]} | more)


def told(answers: Sequence[Answer]) -> list[Any]:
    return [json.loads(answer) for answer in answers if isinstance(answer, str)]


def code_of(frame: str | bytes, one: OkxLine | None = None) -> str:
    (answer,) = told((one or line()).receive(frame, now_at()))
    assert answer["event"] == "error"
    return str(answer["code"])


# The wire


def test_each_stream_is_answered_on_its_own_its_candle_under_way_behind_it() -> None:
    one = server().accept("/ws/v5/business", now_at())
    assert one.greet(now_at()) == ()
    first, candle, second = told(one.receive(request(ARG, arg(inst_id="ETH-USDT")), now_at()))
    assert first == {"id": "1", "event": "subscribe", "arg": ARG, "connId": "a4d30001"}
    assert candle["arg"] == ARG
    assert candle["data"][0][-1] == "0"
    assert second["arg"]["instId"] == "ETH-USDT"


def test_a_second_subscription_is_acknowledged_again_without_a_candle() -> None:
    one = server().accept("/ws/v5/business", now_at())
    assert len(one.receive(request(), now_at())) == 2
    assert len(one.receive(request(), now_at())) == 1


def test_a_candle_is_a_row_of_nine_texts() -> None:
    one = line()
    one.receive(request(), now_at())
    (message,) = told([one.publish(quote(), now_at(3.45)) or ""])
    assert message == {
        "arg": ARG,
        "data": [
            [
                str(CLOSE - 60_000),
                *("2.00000000", "4.00000000", "1.00000000", "3.00000000"),
                *("7.00000000", "17.50000000", "17.50000000", "1"),
            ]
        ],
    }
    (running,) = told([one.publish(quote(final=False), now_at()) or ""])
    assert running["data"][0][-1] == "0"


def test_an_empty_bar_is_told() -> None:
    one = line()
    one.receive(request(), now_at())
    (message,) = told([one.publish(quote(volume=0), now_at()) or ""])
    assert message["data"][0][5:] == ["0.00000000", "0.00000000", "0.00000000", "1"]


def test_nothing_is_told_without_a_subscription_and_none_after_it_ended() -> None:
    one = line()
    assert one.publish(quote(), now_at()) is None
    one.receive(request(), now_at())
    assert one.publish(quote(source=BTC6), now_at()) is None
    assert one.publish(quote(), now_at()) is not None
    (gone,) = told(one.receive(request(op="unsubscribe"), now_at()))
    assert (gone["event"], gone["arg"]) == ("unsubscribe", ARG)
    assert one.publish(quote(), now_at()) is None


def test_a_ping_and_its_pong_are_bare_text() -> None:
    assert line().receive("ping", now_at()) == ("pong",)


# The rules


@pytest.mark.parametrize(
    ("channel", "inst_id"),
    [
        ("candle1m", "NOPE-USDT"),
        ("candle1m", "btc-usdt"),
        ("candle1m", "BTCUSDT"),
        ("candle1h", "BTC-USDT"),
        ("candle7m", "BTC-USDT"),
        ("tickers", "BTC-USDT"),
    ],
)
def test_a_stream_that_does_not_exist_is_named_and_the_others_are_served(
    channel: str, inst_id: str
) -> None:
    wrong, right = told(line().receive(request(arg(channel, inst_id), ARG), now_at()))
    assert (wrong["event"], wrong["code"], wrong["id"]) == ("error", "60018", "1")
    assert f"channel:{channel},instId:{inst_id} doesn't exist" in wrong["msg"]
    assert right["event"] == "subscribe"


def test_public_has_no_candles_any_more() -> None:
    assert code_of(request(), line("/ws/v5/public")) == "60018"


def test_hong_kongs_long_bars_exist_and_are_not_those_of_utc() -> None:
    one = line()
    (fine,) = told(one.receive(request(arg("candle6H")), now_at()))
    assert fine["event"] == "subscribe"
    assert one.publish(quote(source=BTC6), now_at()) is None
    one.receive(request(arg("candle6Hutc")), now_at())
    assert one.publish(quote(source=BTC6), now_at()) is not None


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "60012"),
        ("Ping", "60012"),
        ("null", "60012"),
        ("[]", "60012"),
        ("{}", "60012"),
        (b"ping", "60012"),
        ('{"op":7}', "60012"),
        ('{"op":"jump","args":[{}]}', "60012"),
        ('{"op":"subscribe"}', "60012"),
        ('{"op":"subscribe","args":[]}', "60012"),
        (request(id=7), "60012"),
        (request(id="x" * 33), "60012"),
        (request(id="a b"), "60012"),
        (request(7), "60013"),
        (request({}), "60013"),
        (request({"channel": "candle1m"}), "60013"),
        (request({"channel": "candle1m", "instId": 7}), "60013"),
        ('{"op":' + "[" * 50_000, "60012"),
        ("\ud800", "60012"),
    ],
)
def test_a_wrong_request_is_an_error(frame: str | bytes, code: str) -> None:
    assert code_of(frame) == code


def test_a_request_of_more_than_64_kb_cuts_the_connection() -> None:
    many = [ARG] * (MOST_BYTES // 40)
    (cut,) = line().receive(request(*many), now_at())
    assert isinstance(cut, Violation)
    assert cut.code == TOO_LONG


def test_more_than_480_requests_within_an_hour_are_refused() -> None:
    one = line()
    for number in range(REQUESTS_PER_HOUR):
        assert told(one.receive(request(), now_at(number)))[0]["event"] == "subscribe"
    (refused,) = told(one.receive(request(), now_at(3_599)))
    assert (refused["code"], refused["id"]) == ("60014", "1")
    assert one.receive("ping", now_at(3_599)) == ("pong",)
    (fine,) = told(one.receive(request(), now_at(3_600)))
    assert fine["event"] == "subscribe"


def test_thirty_seconds_of_silence_cut_the_connection() -> None:
    one = line()
    assert one.next_at() == 30 * SECOND
    one.receive(request(), now_at(20))
    one.publish(quote(), now_at(40))
    one.receive("ping", now_at(60))
    assert one.advance(now_at(89.9)) == ()
    assert one.advance(now_at(90)) == (Violation("No data received in 30s", NO_DATA),)


def test_an_upgrade_is_announced_on_public_and_by_the_documentation_not_on_business() -> None:
    assert line().farewell(now_at()) == ()
    (notice,) = line("/ws/v5/public").farewell(now_at())
    session = OkxCodec().session([BTC], VenueOptions())
    (item,) = session.receive(notice)
    assert isinstance(item, GoingAway)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/ws/v5/business", True),
        ("/ws/v5/business/?brokerId=9999", True),
        ("/ws/v5/public", True),
        ("/ws/v5/private", False),
        ("/", False),
        ("", False),
    ],
)
def test_the_sockets_paths(path: str, known: bool) -> None:
    assert server().knows_path(path) is known


@pytest.mark.parametrize("source", ["BTC/USDT_5s", "BTC/USDT_8h", "SPY_1m"])
def test_other_bars_are_not_to_be_had(source: str) -> None:
    with pytest.raises(ValueError, match=r"OKX has no candles|pair"):
        OkxProtocol().stream(source)


@pytest.mark.parametrize("timeframe", OkxCodec.facts.timeframes)
@pytest.mark.parametrize("symbol", ["BTC/USDT", "btc-usdt", "BTCUSDT", "BTC-USDT-SWAP"])
def test_both_sides_call_a_stream_the_same(symbol: str, timeframe: str) -> None:
    source = SourceId(f"{symbol}_{timeframe}")
    assert OkxProtocol().stream(source) == OkxCodec().stream(source)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
args = st.fixed_dictionaries(
    {}, optional={"channel": st.just("candle1m") | json_like, "instId": json_like}
)
requests = st.fixed_dictionaries(
    {"op": st.sampled_from(["subscribe", "unsubscribe", "login"])},
    optional={"args": st.lists(st.just(ARG) | args) | json_like, "id": json_like},
)


@given(st.lists(st.text() | st.binary() | (requests | json_like).map(json.dumps), max_size=4))
def test_no_frame_makes_it_raise_and_each_is_answered(frames: list[str | bytes]) -> None:
    one = line()
    for frame in frames:
        answers = one.receive(frame, now_at())
        assert answers
        assert frame == "ping" or all("event" in answer for answer in told(answers))
    one.publish(quote(), now_at())
    one.advance(now_at(99))


# REST


def ask(shop: OkxServer, path: str, query: str, seconds: float = 0) -> HttpAnswer:
    answer = shop.get(f"{path}?{query}", {}, now_at(seconds))
    assert answer is not None
    return answer


def body(path: str, query: str, bars: int = 6) -> Any:
    answer = ask(server(bars), path, query)
    assert answer.status == 200
    return json.loads(answer.body)


def opens(path: str, query: str, bars: int = 6) -> list[int]:
    rows = body(path, f"instId=BTC-USDT&bar=1m&{query}", bars)["data"]
    return [(int(row[0]) - CLOSE) // 60_000 + 1 for row in rows]


def test_rows_come_newest_first_and_only_candles_has_the_one_under_way() -> None:
    assert opens(RECENT, "") == [6, 5, 4, 3, 2, 1, 0]
    assert opens(OLD, "") == [5, 4, 3, 2, 1, 0]
    rows = body(RECENT, "instId=BTC-USDT")["data"]
    assert [row[-1] for row in rows] == ["0"] + ["1"] * 6


@pytest.mark.parametrize("path", [RECENT, OLD])
def test_after_means_older_and_before_newer_both_exclusive(path: str) -> None:
    assert opens(path, f"after={CLOSE + 120_000}&before={CLOSE - 60_000}") == [2, 1]
    assert opens(path, f"after={CLOSE + 120_000}&limit=2") == [2, 1]
    assert len(opens(path, "", 900)) == 100
    assert len(opens(path, "limit=1000", 900)) == 300


def test_candles_has_no_more_than_the_newest_1440() -> None:
    old = f"after={CLOSE + 60 * 60_000}"
    assert opens(RECENT, old, 1_600) == []
    assert len(opens(OLD, old, 1_600)) == 61


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "50014"),
        ("instId=NOPE-USDT", "51001"),
        ("instId=BTC-USDT&bar=1h", "51000"),
        ("instId=BTC-USDT&after=x", "51000"),
        ("instId=BTC-USDT&limit=", "0"),
    ],
)
def test_a_wrong_question_is_an_error_with_status_200(query: str, code: str) -> None:
    assert body(RECENT, query)["code"] == code


@pytest.mark.parametrize("path", [RECENT, OLD])
def test_requests_beyond_the_rate_are_refused_with_status_429(path: str) -> None:
    shop = server()
    for _ in range(REQUESTS[path]):
        assert ask(shop, path, "instId=BTC-USDT").status == 200
    refused = ask(shop, path, "instId=BTC-USDT", 1.9)
    assert refused.status == 429
    assert json.loads(refused.body)["code"] == "50011"
    assert ask(shop, path, "instId=BTC-USDT", 2).status == 200


@pytest.mark.parametrize("target", ["/", "/api/v5/market/ticker?instId=BTC-USDT", "//["])
def test_elsewhere_there_is_nothing(target: str) -> None:
    assert server().get(target, {}, now_at()) is None


# Against the client's codec


def client(
    venue: SimulatedVenue, *sources: SourceId, url: str = "ws://v", pings: bool = False
) -> Client:
    session = OkxCodec().session(sources, VenueOptions(url=url))
    return Client(venue, session, flagged=True, pings=pings)


def closed(venue: SimulatedVenue, *sources: SourceId) -> dict[tuple[SourceId, int], Bar]:
    """All closed bars."""
    quotes = [quote for source in sources for quote in venue.closed(source)]
    return {(q.bar.source, q.bar.timestamp): q.bar for q in quotes}


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_the_client_reads_the_very_bars_that_the_venue_means(seed: int) -> None:
    defaults = {
        "delay": {"kind": "uniform", "max_ms": 150},
        "duplicate": 0.2,
        "reorder": 0.2,
        "revise": 0.3,
        "revise_after_ms": 40,
    }
    sources = (BTC, ETH, SourceId("SOL/USDT_5m"))
    venue = open_venue(
        "okx",
        {key: {} for key in sources},
        seed=seed,
        venue={"running_ms": 25},
        defaults=defaults,
        market={"empty": 0.1},
    )
    one = client(venue, *sources)
    one.run()
    assert not one.session.unacknowledged()
    assert one.final() == closed(venue, *sources)
    assert len(one.told) > len(one.final())


def test_a_symbol_that_does_not_exist_is_refused_and_pongs_hide_its_silence() -> None:
    wrong = SourceId("NO-SUCH_1m")
    quiet = {"pace_ms": 3_600_000, "duration_s": 120}
    venue = open_venue("okx", {BTC: {}}, venue=quiet)
    one = client(venue, wrong, BTC, pings=True)
    one.run(100_000)
    refusal, *others = one.outcomes
    assert isinstance(refusal, Refusal)
    assert (refusal.sources, refusal.final) == ((wrong,), True)
    assert others == [Acknowledged((BTC,))]
    assert not one.session.unacknowledged()
    assert one.cut is None
    assert one.longest_silence_ms <= 15_000


def test_on_public_every_source_is_refused() -> None:
    venue = open_venue("okx", {BTC: {}, ETH: {}})
    one = client(venue, BTC, ETH, url="ws://v/ws/v5/public")
    one.run()
    refusals = [item for item in one.outcomes if isinstance(item, Refusal)]
    assert [(item.sources, item.final) for item in refusals] == [((BTC,), True), ((ETH,), True)]
    assert not one.told


def test_a_full_connection_is_subscribed_within_every_limit() -> None:
    sources = [SourceId(f"S{n}-USDT_1m") for n in range(OkxCodec.facts.max_sources)]
    venue = open_venue(
        "okx", {key: {} for key in sources}, venue={"pace_ms": 60_000, "duration_s": 30}
    )
    one = client(venue, *sources)
    one.run(3_500)
    assert not one.session.unacknowledged()
    assert all(isinstance(item, Acknowledged) for item in one.outcomes)


def test_a_client_that_does_not_ping_in_silence_is_cut_after_thirty_seconds() -> None:
    quiet = {"pace_ms": 3_600_000, "duration_s": 120}
    venue = open_venue("okx", {BTC: {}}, venue=quiet)
    one = client(venue, BTC)
    one.run(29_900)
    before = one.cut
    assert before is None
    one.run(30_100)
    assert one.cut is not None
    assert (one.cut.code, one.cut.reason) == (NO_DATA, "No data received in 30s")


def test_a_client_asks_before_it_takes_a_silence_for_death() -> None:
    wanted = OkxSession.keep_alive
    assert wanted.every_ms < OkxSession.silence_ms <= 30_000


def test_the_past_is_had_page_by_page_without_the_one_under_way() -> None:
    venue = open_venue(
        "okx", {BTC: {}}, venue={"pace_ms": 1, "duration_s": 1}, market={"empty": 0.1}
    )
    venue.advance(at(900.5))
    bars = [quote.bar for quote in venue.closed(BTC)]
    assert venue.running(BTC) is not None
    assert len(bars) == 900
    whole = Span(BTC, WallMs(bars[0].timestamp - 60_000), bars[-1].timestamp)
    assert past(venue, OkxHistory(), whole, 901) == bars
    longer = Span(BTC, WallMs(bars[0].timestamp - 900 * 60_000), bars[-1].timestamp)
    assert past(venue, OkxHistory(), longer, 10_000) == bars
    near = Span(BTC, bars[-9].timestamp, bars[-3].timestamp)
    assert past(venue, OkxHistory(), near, 20_000) == bars[-8:-2]
