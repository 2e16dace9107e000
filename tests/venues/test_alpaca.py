"""Alpaca's frames as they are on the wire, and as they should never be."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId
from barsync_async.venues import CODECS
from barsync_async.venues.alpaca import AlpacaCodec, AlpacaSession
from barsync_async.venues.alpaca_market import CRYPTO, STOCKS
from barsync_async.venues.options import PUBLIC, Credentials, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal, Rejection, Reply

OPEN = 1_614_021_300_000  # 2021-02-22T19:15:00Z
KEY, SECRET = "PK0123456789", "a-secret-of-some-length"
OPTIONS = VenueOptions(credentials=Credentials(KEY, SECRET))
CONNECTED = '[{"T":"success","msg":"connected"}]'
AUTHENTICATED = '[{"T":"success","msg":"authenticated"}]'
SPY = Bar("SPY", "1m", OPEN + 60_000, 388.985, 389.13, 388.975, 389.12, 49_378.0)  # type: ignore[arg-type]


def session(*sources: str) -> AlpacaSession:
    return AlpacaCodec().session([SourceId(s) for s in sources or ("SPY_1m", "QQQ_1m")], OPTIONS)


def crypto(*sources: str) -> AlpacaSession:
    return AlpacaCodec(CRYPTO).session([SourceId(s) for s in sources], OPTIONS)


def message(kind: str = "b", **changes: Any) -> dict[str, Any]:
    fields = {
        "T": kind,
        "S": "SPY",
        "o": 388.985,
        "h": 389.13,
        "l": 388.975,
        "c": 389.12,
        "v": 49378,
        "n": 461,
        "vw": 389.062639,
        "t": "2021-02-22T19:15:00Z",
    }
    return fields | changes


def frame(*messages: Any) -> str:
    return json.dumps(messages)


def error(code: int, text: str = "words") -> str:
    return frame({"T": "error", "code": code, "msg": text})


def subscription(*symbols: str) -> str:
    return frame({"T": "subscription", "trades": [], "bars": symbols, "updatedBars": symbols})


def replied(items: Sequence[Received]) -> Any:
    (reply,) = [item for item in items if isinstance(item, Reply)]
    return json.loads(reply.text)


def subscribed(*sources: str) -> AlpacaSession:
    """Up to its first subscription, not answered yet."""
    one = session(*sources)
    one.receive(CONNECTED)
    one.receive(AUTHENTICATED)
    return one


def test_the_venue_speaks_first_then_we_say_who_we_are_then_what_we_want() -> None:
    one = session()
    assert one.opening_frames() == ()
    assert replied(one.receive(CONNECTED)) == {"action": "auth", "key": KEY, "secret": SECRET}
    assert replied(one.receive(AUTHENTICATED)) == {
        "action": "subscribe",
        "bars": ["SPY", "QQQ"],
        "updatedBars": ["SPY", "QQQ"],
    }
    assert one.unacknowledged() == ["SPY_1m", "QQQ_1m"]
    assert one.receive(subscription("SPY", "QQQ")) == [Acknowledged(("SPY_1m", "QQQ_1m"))]  # type: ignore[arg-type]
    assert one.unacknowledged() == []


def test_a_subscription_message_is_the_whole_current_set_and_confirms_what_is_new() -> None:
    sources = [f"S{number}_1m" for number in range(250)]
    one = subscribed(*sources)
    confirmed: list[str] = []
    for known in (100, 200, 250):
        items = one.receive(subscription(*[f"S{number}" for number in range(known)]))
        (acknowledged,) = [item for item in items if isinstance(item, Acknowledged)]
        confirmed += acknowledged.sources
        assert confirmed == sources[:known]
        assert any(isinstance(item, Reply) for item in items) == (known < 250)
    assert one.unacknowledged() == []


def test_what_the_current_set_lacks_was_not_taken() -> None:
    one = subscribed("SPY_1m", "GONE_1m")
    acknowledged, refusal = one.receive(subscription("SPY"))
    assert acknowledged == Acknowledged((SourceId("SPY_1m"),))
    assert isinstance(refusal, Refusal)
    assert (refusal.sources, refusal.final) == (("GONE_1m",), True)
    assert one.unacknowledged() == []


def test_a_bar_is_labelled_with_the_end_of_its_minute() -> None:
    assert session().receive(frame(message())) == [SPY]


def test_an_updated_bar_is_the_same_minute_again() -> None:
    (bar,) = session().receive(frame(message("u", v=49_400)))
    assert isinstance(bar, Bar)
    assert (bar.timestamp, bar.volume) == (SPY.timestamp, 49_400.0)


def test_the_days_running_bar_is_nothing() -> None:
    assert session().receive(frame(message("d", t="2021-02-22T05:00:00Z"))) == []


def test_one_array_may_hold_bars_daily_bars_unknown_kinds_and_answers() -> None:
    mixed = frame(
        message("d"),
        message(),
        {"T": "q", "S": "SPY", "bp": 1, "c": ["@"]},
        {"T": "never heard of", "o": None},
        message("u"),
        {"T": "error", "code": 407, "msg": "slow client"},
    )
    assert session().receive(mixed) == [
        SPY,
        SPY,
        Refusal((), "error 407: slow client", final=False),
    ]


def test_one_broken_bar_does_not_take_the_others_with_it() -> None:
    first, broken, last = session().receive(frame(message(), message(o=None), message()))
    assert first == last == SPY
    assert isinstance(broken, Rejection)
    assert broken.reason == "malformed"


@pytest.mark.parametrize(
    "fraction", ["", ".0", ".00", ".000", ".000000", ".0000001", ".000000000", ".000000999"]
)
def test_a_moment_has_none_to_nine_digits_of_a_second(fraction: str) -> None:
    text = f"2021-02-22T19:15:00{fraction}Z"
    assert session().receive(frame(message(t=text))) == [SPY]


def test_a_moment_may_have_another_offset() -> None:
    assert session().receive(frame(message(t="2021-02-22T14:15:00-05:00"))) == [SPY]


def test_the_minutes_of_several_symbols_and_days_are_kept_apart() -> None:
    texts = ["2021-02-22T19:15:00Z", "2021-02-22T19:16:00Z", "2021-02-22T19:15:00Z"]
    items = session().receive(frame(*[message(t=text) for text in texts]))
    assert [item.timestamp - OPEN for item in items if isinstance(item, Bar)] == [
        60_000,
        120_000,
        60_000,
    ]


def test_before_and_after_the_market_there_are_bars_too() -> None:
    (bar,) = session().receive(frame(message(t="2021-02-22T09:00:00Z")))
    assert isinstance(bar, Bar)


def test_the_bar_carries_the_spelling_of_the_config() -> None:
    for written in ("BTC/USD", "BTC-USD", "BTCUSD", "btcusd", "btc/usd"):
        (bar,) = crypto(f"{written}_1m").receive(frame(message(S="BTC/USD")))
        assert isinstance(bar, Bar)
        assert bar.symbol == written
    (bar,) = session("spy_1m").receive(frame(message()))
    assert isinstance(bar, Bar)
    assert bar.symbol == "spy"


@pytest.mark.parametrize(
    ("written", "wire"),
    [
        ("BTCUSDT", "BTC/USDT"),
        ("ethbtc", "ETH/BTC"),
        ("SHIB-USDC", "SHIB/USDC"),
        ("BTC/EUR", "BTC/EUR"),
    ],
)
def test_a_pair_goes_on_the_wire_with_a_stroke(written: str, wire: str) -> None:
    assert AlpacaCodec(CRYPTO).stream(SourceId(f"{written}_1m")) == wire


def test_cryptos_volume_is_a_fraction_and_may_be_none_in_a_bar_of_quotes() -> None:
    one = crypto("BTC/USD_1m")
    for volume in (0.123456789, 0, 0.0):
        (bar,) = one.receive(frame(message(S="BTC/USD", v=volume, n=0)))
        assert isinstance(bar, Bar)
        assert bar.volume == volume


def test_prices_may_be_text() -> None:
    texts = {name: str(value) for name, value in message().items() if name in "ohlcv"}
    assert session().receive(frame(message(**texts))) == [SPY]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"S": "DOGE"}, "unknown_source"),
        ({"S": "spy"}, "unknown_source"),
        ({"t": "2021-02-22T19:15:30Z"}, "malformed"),
        ({"t": "2021-02-22T19:15:00.5Z"}, "malformed"),
        ({"t": "2021-02-22T19:15:00"}, "malformed"),
        ({"t": "1969-02-22T19:15:00Z"}, "malformed"),
        ({"t": OPEN}, "malformed"),
        ({"t": None}, "malformed"),
        ({"t": "x" * 5_000}, "malformed"),
        ({"h": 0.0001}, "invalid"),
        ({"l": 389.2}, "invalid"),
        ({"v": -1}, "invalid"),
        ({"c": "nan"}, "invalid"),
        ({"h": "inf"}, "invalid"),
        ({"o": None}, "malformed"),
        ({"o": ""}, "malformed"),
        ({"o": []}, "malformed"),
        ({"o": "1" * 4_000}, "malformed"),
        ({"v": None}, "malformed"),
        ({"S": None}, "malformed"),
        ({"S": "B" * 65}, "malformed"),
    ],
)
def test_a_bar_that_cannot_be_is_rejected(changes: dict[str, Any], reason: str) -> None:
    (item,) = session().receive(frame(message(**changes)))
    assert isinstance(item, Rejection)
    assert item.reason == reason
    assert len(item.detail) <= 512


def test_a_moment_that_was_refused_is_refused_again() -> None:
    one = session()
    for _ in range(2):
        (item,) = one.receive(frame(message(t="never")))
        assert isinstance(item, Rejection)
    assert one.receive(frame(message())) == [SPY]


@pytest.mark.parametrize(
    ("code", "final"),
    [
        (400, False),
        (401, False),
        (402, True),
        (404, False),
        (405, True),
        (406, False),
        (407, False),
        (408, True),
        (409, True),
        (410, True),
        (411, True),
        (500, False),
        (999, False),
    ],
)
def test_errors_of_the_connection_say_whether_asking_again_can_help(
    code: int, *, final: bool
) -> None:
    assert session().receive(error(code)) == [Refusal((), f"error {code}: words", final=final)]


def test_an_old_session_that_is_still_open_is_worth_another_try() -> None:
    one = session()
    one.receive(CONNECTED)
    (item,) = one.receive(error(406, "connection limit exceeded"))
    assert isinstance(item, Refusal)
    assert not item.final


def test_who_is_authenticated_already_goes_on_to_subscribe() -> None:
    one = session()
    one.receive(CONNECTED)
    assert replied(one.receive(error(403)))["action"] == "subscribe"
    assert one.receive(error(403)) == []


def test_of_a_request_that_is_refused_as_a_whole_only_the_bad_symbol_is_lost() -> None:
    """The venue answers one impossible symbol with an error for all, and does not name it."""
    sources = [f"{name}_1m" for name in ("A", "B", "BAD", "D", "E")]
    one = subscribed(*sources)
    wanted = ["A", "B", "BAD", "D", "E"]
    accepted: list[str] = []
    outcomes: list[Received] = []
    for _ in range(20):
        answer = error(400) if "BAD" in wanted else subscription(*accepted, *wanted)
        accepted += [] if "BAD" in wanted else wanted
        items = one.receive(answer)
        outcomes += items
        replies = [item for item in items if isinstance(item, Reply)]
        if not replies:
            break
        wanted = json.loads(replies[0].text)["bars"]
    refusals = [item for item in outcomes if isinstance(item, Refusal)]
    assert refusals == [Refusal((SourceId("BAD_1m"),), "error 400: words", final=True)]
    assert sorted(accepted) == ["A", "B", "D", "E"]
    assert one.unacknowledged() == []


def test_beyond_the_symbol_limit_all_that_is_left_is_refused_at_once() -> None:
    sources = [f"S{number}_1m" for number in range(250)]
    one = subscribed(*sources)
    wanted, accepted, refused, asked = 100, 0, 0, 0
    while True:
        asked += 1
        fits = accepted + wanted <= 30
        accepted += wanted if fits else 0
        names = [f"S{number}" for number in range(accepted)]
        items = one.receive(subscription(*names) if fits else error(405))
        refused += sum(len(item.sources) for item in items if isinstance(item, Refusal))
        replies = [item for item in items if isinstance(item, Reply)]
        if not replies:
            break
        wanted = len(json.loads(replies[0].text)["bars"])
    assert (accepted, refused) == (30, 220)
    assert asked < 20
    assert one.unacknowledged() == []


def test_no_secret_is_shown_even_if_the_venue_sends_it_back() -> None:
    one = session()
    items = list(one.receive(CONNECTED))
    items += one.receive(error(402, f"{KEY} is not {SECRET}"))
    items += one.receive(items[0].text)  # type: ignore[union-attr]  # a server that only echoes
    items += one.receive(frame({"T": "error", "key": KEY, "code": SECRET}))
    assert len(items) == 4
    for item in items:
        assert KEY not in repr(item)
        assert SECRET not in repr(item)
    assert SECRET not in repr(OPTIONS)


def test_a_connection_without_a_path_gets_the_default_feed() -> None:
    for codec, path in ((AlpacaCodec(), "/v2/iex"), (AlpacaCodec(CRYPTO), "/v1beta3/crypto/us")):
        assert codec.default_url == f"wss://stream.data.alpaca.markets{path}"
        assert codec.session([], OPTIONS).url == codec.default_url
        assert codec.session([], VenueOptions(url="ws://h:1/")).url == f"ws://h:1{path}"
    assert session().url.endswith("/v2/iex")
    assert AlpacaCodec().session([], VenueOptions(url="ws://h/v2/sip")).url == "ws://h/v2/sip"


def test_there_are_one_minute_bars_alone_whatever_the_url() -> None:
    for options in (OPTIONS, VenueOptions(url="ws://h", credentials=OPTIONS.credentials)):
        for codec in (AlpacaCodec(), AlpacaCodec(CRYPTO)):
            assert "no 5m bars" in (codec.supports(SourceId("BTC_5m"), options) or "")
    assert AlpacaCodec().supports(SourceId("BRK.B_1m"), OPTIONS) is None
    assert AlpacaCodec(CRYPTO).supports(SourceId("BTCUSD_1m"), OPTIONS) is None


@pytest.mark.parametrize("options", [PUBLIC, VenueOptions(credentials=Credentials("key"))])
def test_without_credentials_it_says_where_they_may_come_from(options: VenueOptions) -> None:
    told = AlpacaCodec().supports(SourceId("SPY_1m"), options) or ""
    assert "key_file and secret_file" in told
    assert "BARSYNC_FEEDS__<FEED>__SECRET" in told


@pytest.mark.parametrize("symbol", ["BTC/USD", "SPY,QQQ", "*", "S P Y", "SPY\n", "Ü", "A" * 25])
def test_what_is_no_stock_is_not_asked_for(symbol: str) -> None:
    told = AlpacaCodec().supports(SourceId(f"{symbol}_1m"), OPTIONS) or ""
    assert "is no symbol of Alpaca stocks" in told
    assert "alpaca_crypto" in told


@pytest.mark.parametrize("symbol", ["SPY", "BTC/", "/USD", "BTC/USD/X", "*", "USD"])
def test_what_is_no_pair_is_not_asked_for(symbol: str) -> None:
    assert "BASE/QUOTE" in (AlpacaCodec(CRYPTO).supports(SourceId(f"{symbol}_1m"), OPTIONS) or "")


def test_both_markets_are_registered() -> None:
    assert CODECS["alpaca"].default_url == STOCKS.endpoint + STOCKS.path
    assert CODECS["alpaca_crypto"].default_url == CRYPTO.endpoint + CRYPTO.path


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=9,
)
kinds = st.sampled_from(["b", "u", "d", "success", "error", "subscription", "x"])
messages = st.fixed_dictionaries(
    {},
    optional={
        "T": kinds | json_like,
        "S": st.sampled_from(["SPY", "X"]) | json_like,
        "msg": st.sampled_from(["connected", "authenticated"]) | json_like,
        "code": st.sampled_from([400, 403, 405, 406]) | json_like,
        "bars": st.lists(st.sampled_from(["SPY", "QQQ", "*"])) | json_like,
        "t": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | json_like,
        **dict.fromkeys("ohlcv", st.just(1.5) | json_like),
    },
)


@given(st.lists(st.lists(messages).map(json.dumps) | st.binary() | st.text(), max_size=5))
def test_whatever_comes_it_is_a_sound_bar_or_no_bar(frames: list[str | bytes]) -> None:
    one = session()
    for each in frames:
        for item in one.receive(each):
            if isinstance(item, Bar):
                assert -math.inf < item.low <= min(item.open, item.close)
                assert max(item.open, item.close) <= item.high < math.inf
                assert 0 <= item.volume < math.inf
                assert item.timestamp % 60_000 == 0
        assert set(one.unacknowledged()) <= {"SPY_1m", "QQQ_1m"}


@given(
    st.sampled_from([CONNECTED, subscription("SPY"), error(400), frame(message(), message("u"))]),
    st.integers(0, 300),
    st.binary(max_size=4),
)
def test_a_damaged_real_message_raises_nothing(text: str, at: int, put: bytes) -> None:
    raw = text.encode()
    subscribed().receive(raw[:at] + put + raw[at + len(put) :])
