"""The venue's answers, to the polite and to the hostile."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.simulation.roles import Violation
from barsync_async.simulation.venues.binance import MAX_STREAMS, BinanceLine, BinanceServer
from barsync_async.units import Instant, MonoNs, WallMs

SECOND = 1_000_000_000


def at(now_ns: int) -> Instant:
    return Instant(MonoNs(now_ns), WallMs(0))


def connected(path: str) -> BinanceLine:
    return BinanceServer({}).accept(path, at(0))


def ask(connection: BinanceLine, frame: str | bytes, now_ns: int = 0) -> Any:
    (answer,) = connection.receive(frame, at(now_ns))
    assert isinstance(answer, str)
    return json.loads(answer)


def error_of(frame: str | bytes) -> Any:
    return ask(connected("/ws"), frame)["error"]


def request(method: str, *params: Any, id: Any = 1) -> str:  # noqa: A002 - the venue's name
    return json.dumps({"method": method, "params": list(params), "id": id})


def test_subscriptions_come_and_go_and_are_listed_in_order() -> None:
    connection = connected("/ws")
    assert ask(connection, request("SUBSCRIBE", "b@kline_1m", "a@kline_1s")) == {
        "result": None,
        "id": 1,
    }
    assert ask(connection, '{"method":"LIST_SUBSCRIPTIONS","id":"two"}') == {
        "result": ["b@kline_1m", "a@kline_1s"],
        "id": "two",
    }
    ask(connection, request("UNSUBSCRIBE", "b@kline_1m", "never@subscribed"))
    assert connection.wants("a@kline_1s")
    assert not connection.wants("b@kline_1m")


@pytest.mark.parametrize(
    ("path", "combined", "streams"),
    [
        ("/ws", False, []),
        ("/ws/", False, []),
        ("/ws/a@kline_1s", False, ["a@kline_1s"]),
        ("/ws/a@kline_1s/b%40kline_1m", False, ["a@kline_1s", "b@kline_1m"]),
        ("/stream", True, []),
        ("/stream?streams=a@kline_1s/b@kline_1m", True, ["a@kline_1s", "b@kline_1m"]),
        ("/stream?x=1&streams=a%40kline_1s", True, ["a@kline_1s"]),
    ],
)
def test_a_path_may_name_streams(path: str, combined: bool, streams: list[str]) -> None:
    connection = connected(path)
    assert BinanceServer({}).knows_path(path)
    assert connection.combined == combined
    assert ask(connection, request("LIST_SUBSCRIPTIONS"))["result"] == streams


@pytest.mark.parametrize("path", ["/", "", "/wss", "/streams", "/api/ws", "//[", "/?a=/ws"])
def test_other_paths_are_unknown(path: str) -> None:
    assert not BinanceServer({}).knows_path(path)


def test_the_envelope_is_a_property_of_the_connection() -> None:
    connection = connected("/ws")
    (raw,) = connection.farewell(at(0))
    assert json.loads(raw) == {"e": "serverShutdown", "E": 0}
    assert ask(connection, request("GET_PROPERTY", "combined"))["result"] is False
    assert ask(connection, request("SET_PROPERTY", *["combined", True]))["result"] is None
    (wrapped,) = connection.farewell(at(0))
    assert json.loads(wrapped) == {"stream": "!serverShutdown", "data": json.loads(raw)}


def test_an_unknown_method_is_answered_as_on_the_wire() -> None:
    answer = ask(connected("/ws"), '{"method":"NOT_A_METHOD","id":4}')
    assert answer == {
        "error": {
            "code": 2,
            "msg": "Invalid request: unknown variant `NOT_A_METHOD`, expected one of `SUBSCRIBE`, "
            "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`",
        },
        "id": 4,
    }


@pytest.mark.parametrize(
    "frame",
    ["", "pong", "{", '{"method":', b"\x00\xff", b"{}", "[" * 60_000, '{"a":' * 5_000, "\ud800"],
)
def test_what_is_no_json_text_is_code_3(frame: str | bytes) -> None:
    assert error_of(frame)["code"] == 3
    assert error_of(frame)["msg"].startswith("Invalid JSON: ")


@pytest.mark.parametrize(
    "frame",
    [
        "null",
        "[]",
        "1e999",
        '"SUBSCRIBE"',
        "{}",
        '{"method":null,"id":1}',
        '{"method":["SUBSCRIBE"],"id":1}',
        '{"method":"subscribe","id":1}',
        '{"method":"SUBSCRIBE","id":1}',
        '{"method":"SUBSCRIBE","params":"a@kline_1s","id":1}',
        '{"method":"SUBSCRIBE","params":[1],"id":1}',
        '{"method":"SUBSCRIBE","params":["' + "a" * 300 + '"],"id":1}',
        '{"method":"SUBSCRIBE","params":[[[]]],"id":1}',
        request("SUBSCRIBE", id=2**63),
        request("SUBSCRIBE", id=-(2**63) - 1),
        '{"method":"SUBSCRIBE","params":[],"id":' + "9" * 4_000 + "}",
        request("SUBSCRIBE", id=1.5),
        request("SUBSCRIBE", id=True),
        request("SUBSCRIBE", id="x" * 37),
        request("SUBSCRIBE", id="a b"),
        request("SUBSCRIBE", id={}),
    ],
)
def test_a_wrong_request_is_an_error_and_changes_nothing(frame: str) -> None:
    assert error_of(frame)["code"] in (2, 3)
    connection = connected("/ws/a")
    connection.receive(frame, at(0))
    assert ask(connection, request("LIST_SUBSCRIPTIONS"))["result"] == ["a"]


@pytest.mark.parametrize("id_", [0, -(2**63), 2**63 - 1, "a" * 36, "Z9", None])
def test_ids_come_back_as_they_were(id_: object) -> None:
    assert ask(connected("/ws"), request("SUBSCRIBE", id=id_)) == {"result": None, "id": id_}


@pytest.mark.parametrize(
    ("params", "code"), [(["combined", 1], 1), (["colour", True], 0), ([], 0), (["combined"], 0)]
)
def test_wrong_properties_are_refused(params: list[Any], code: int) -> None:
    assert error_of(request("SET_PROPERTY", *params))["code"] == code


def test_a_sixth_message_within_a_second_breaks_the_limit() -> None:
    connection = connected("/ws")
    for number in range(5):
        ask(connection, request("SUBSCRIBE"), number * SECOND // 10)
    assert connection.receive("pong", at(SECOND - 1)) == (Violation("Too many requests"),)


def test_five_messages_a_second_for_ever_are_fine() -> None:
    connection = connected("/ws")
    for number in range(100):
        ask(connection, "pong", number * SECOND // 5)


def test_too_many_streams_break_the_limit_however_they_are_named() -> None:
    names = [f"s{number}@kline_1s" for number in range(MAX_STREAMS + 1)]
    assert connected("/ws/" + "/".join(names)).greet(at(0)) == (Violation("Too many streams"),)
    assert connected("/ws/" + "/".join(names[1:])).greet(at(0)) == ()
    connection = connected("/ws")
    ask(connection, request("SUBSCRIBE", *names[1:]))
    ask(connection, request("SUBSCRIBE", *names[1:]))
    assert connection.receive(request("SUBSCRIBE", *names), at(0)) == (
        Violation("Too many streams"),
    )


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
methods = st.sampled_from(["SUBSCRIBE", "UNSUBSCRIBE", "SET_PROPERTY", "GET_PROPERTY"])
requests = st.fixed_dictionaries(
    {}, optional={"method": methods | json_like, "params": json_like, "id": json_like}
)


@given(st.text() | st.binary() | requests.map(json.dumps) | json_like.map(json.dumps), st.text())
def test_every_frame_gets_one_json_answer(frame: str | bytes, path: str) -> None:
    BinanceServer({}).knows_path(path)
    for connection in (connected("/ws/" + path), connected("/stream?" + path)):
        answer = ask(connection, frame)
        assert "id" in answer
        assert ("result" in answer) != ("error" in answer)
        ask(connection, request("LIST_SUBSCRIPTIONS"))
