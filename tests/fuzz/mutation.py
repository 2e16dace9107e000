"""Mutants of messages: of their bytes, and of their JSON."""

import json
import math
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

_MOST_BYTES = 150_000
_RAW = re.compile(r'"\\u0000(\d+)"')

RAW = (
    *("1e999", "-1e999", "1E400", "NaN", "Infinity", "-0", "12.0", "01", "1.", ".5", "0x10"),
    *("9" * 19, "9" * 25, "9" * 400, "9" * 5_000, "0." + "3" * 2_000, "1e-400"),
    *("[" * 600 + "]" * 600, '{"a":' * 600 + "1" + "}" * 600, "[" * 2_000, "[[]" + ",[]" * 9_000),
    *('"\\ud800"', '"\\u0000"', '"\\x"', '"unfinished', "tru", "nul", "", ",", "}"),
    *('"' + "x" * 5_000 + '"', '"' + "\\u00e9" * 3_000 + '"'),
)
"""Texts that no encoder writes, put where a value stood."""

TEXTS = (
    *("", " ", "1_0", " 1", "1 ", "nan", "-inf", "Infinity", "1e400", "1e-400", "0x1", "٣"),
    *("true", "null", "1M", "1m", "60", "kline", "error", "success", "update", "snapshot"),
    *("2021-02-22T19:15:00Z", "2021-02-22T19:15:00.123456789Z", "2021-02-22T19:15:00"),
    *("9999-12-31T23:59:59.999999999-23:59", "0001-01-01T00:00:00+23:59", "2021-W07-1", "é" * 40),
)
NUMBERS = (0, -1, 1, 2, 59_999, 60_000, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**18, -(2**63))
UNITS = (1_000, 1_000_000, 0.001, 0.000001, -1, 60)
STATUSES = (200, 200, 200, 200, 204, 301, 400, 401, 403, 404, 418, 422, 429, 451, 500, 503, 0, -1)
DELAYS = ("", "0", "5", "-1", "1e9", "9" * 40, "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "٣", "\x00")


class Mutator:
    """Seeded: the same seed and messages give the same mutants."""

    def __init__(self, seed: int, messages: Sequence[str]) -> None:
        self.random = Random(seed)
        self._messages = [each.encode("utf-8", "surrogatepass") for each in messages]
        self._trees = list(map(_parsed, messages))

    def mutant(self) -> bytes:
        """Of one message: sometimes itself, mostly changed in one to four places."""
        place = self.random.randrange(len(self._messages))
        if self.random.random() < 0.04:
            return self._messages[place]
        tree = self._trees[place]
        whole = self._messages[place]
        if tree is not _NONE and self.random.random() < 0.75:
            whole = self._changed_tree(tree)
            if self.random.random() < 0.8:
                return whole
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            whole = self.random.choice(_ON_BYTES)(self, whole)
        return whole[:_MOST_BYTES]

    # Trees

    def _changed_tree(self, tree: Any) -> bytes:
        root = [json.loads(json.dumps(tree))]
        raw: list[str] = []
        for _ in range(self.random.choice((1, 1, 1, 2, 4))):
            self._change_one(root, raw)
        text = json.dumps(root[0] if root else None, ensure_ascii=self.random.random() < 0.8)
        text = _RAW.sub(lambda match: raw[int(match[1])], text)
        return text.encode("utf-8", "surrogatepass")[:_MOST_BYTES]

    def _change_one(self, root: list[Any], raw: list[str]) -> None:
        places = list(_places(root))
        if not places:
            return
        parent, key = self.random.choice(places)
        match self.random.randrange(10):
            case 0:
                del parent[key]
            case 1:
                self._duplicate(parent, key)
            case 2:
                other, another = self.random.choice(places)
                if _is_there(other, another) and not _holds(other[another], parent):
                    parent[key] = json.loads(json.dumps(other[another]))
            case 3:
                parent[key] = self._wrapped(parent[key])
            case 4:
                raw.append(self.random.choice(RAW))
                parent[key] = f"\x00{len(raw) - 1}"
            case 5 | 6:
                parent[key] = self._other_unit(parent[key])
            case 7 if isinstance(parent, dict):
                name = self.random.choice((*TEXTS, "t", "data", "s", "x"))
                parent[name] = parent.pop(key)
            case _:
                parent[key] = self._retyped(parent[key])

    def _duplicate(self, parent: Any, key: Any) -> None:
        value = parent[key]
        if isinstance(parent, list):
            times = self.random.choice((1, 1, 1, 2, 50, 700))
            parent[key:key] = [value] * min(times, 40_000 // (len(json.dumps(value)) + 1) + 1)
        else:
            parent[str(key) + self.random.choice(("2", "_", ""))] = value

    def _wrapped(self, value: Any) -> Any:
        for _ in range(self.random.choice((1, 2, 9, 100))):
            value = [value] if self.random.random() < 0.5 else {"a": value}
        return value

    def _other_unit(self, value: Any) -> Any:
        """A number as another number; a text of one likewise."""
        factor = self.random.choice(UNITS)
        if isinstance(value, bool) or value is None:
            return not value
        if isinstance(value, int | float):
            return _times(value, factor)
        if isinstance(value, str):
            try:
                return str(_times(float(value), factor))
            except ValueError:
                return self.random.choice((value.lower(), value.upper(), value[::-1], value[1:]))
        return value

    def _retyped(self, value: Any) -> Any:
        choices: tuple[Callable[[], Any], ...] = (
            lambda: None,
            lambda: self.random.choice(NUMBERS),
            lambda: self.random.choice(TEXTS),
            lambda: self.random.random() < 0.5,
            list,
            dict,
            lambda: str(value)[:200],
            lambda: self.random.uniform(-1e6, 1e12),
            lambda: {str(number): value for number in range(3)},
        )
        return self.random.choice(choices)()

    # Bytes

    def _flipped(self, data: bytes) -> bytes:
        copy = bytearray(data)
        for _ in range(self.random.choice((1, 1, 4, 16))):
            if copy:
                copy[self.random.randrange(len(copy))] ^= 1 << self.random.randrange(8)
        return bytes(copy)

    def _cut(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:start] + data[end:]

    def _shortened(self, data: bytes) -> bytes:
        return data[: self._span(data)[1]]

    def _repeated(self, data: bytes) -> bytes:
        start, end = self._span(data)
        times = self.random.choice((2, 2, 3, 100, 3_000))
        piece = data[start:end] * times
        return data[:start] + piece[:_MOST_BYTES] + data[end:]

    def _inserted(self, data: bytes) -> bytes:
        start, _ = self._span(data)
        junk = self.random.randbytes(self.random.choice((1, 2, 8)))
        text = self.random.choice(RAW + TEXTS).encode("utf-8", "surrogatepass")
        return data[:start] + self.random.choice((junk, text)) + data[start:]

    def _spliced(self, data: bytes) -> bytes:
        other = self.random.choice(self._messages)
        return data[: self._span(data)[0]] + other[self._span(other)[0] :]

    def _span(self, data: bytes) -> tuple[int, int]:
        first = self.random.randrange(len(data) + 1)
        length = self.random.choice((1, 3, 10, 40))
        return first, min(len(data), first + length)


_ON_BYTES: tuple[Callable[[Mutator, bytes], bytes], ...] = (
    Mutator._flipped,
    Mutator._cut,
    Mutator._shortened,
    Mutator._repeated,
    Mutator._inserted,
    Mutator._spliced,
)
_NONE: Any = object()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NONE


def _places(root: list[Any]) -> Sequence[tuple[Any, Any]]:
    """Every value, as its container and key."""
    found: list[tuple[Any, Any]] = []
    waiting: list[Any] = [root]
    while waiting and len(found) < 2_000:
        container = waiting.pop()
        keys = range(len(container)) if isinstance(container, list) else list(container)
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], list | dict):
                waiting.append(container[key])
    return found


def _is_there(container: Any, key: Any) -> bool:
    return key < len(container) if isinstance(container, list) else key in container


def _holds(value: Any, container: Any) -> bool:
    """Whether ``container`` is in ``value``: copied into itself it would grow without end."""
    return value is container or any(each is container for each, _ in _places([value]))


def _times(value: float, factor: float) -> float:
    try:
        product = value * factor
    except OverflowError:
        return 1e308
    if not math.isfinite(product):
        return 1e308
    return int(product) if isinstance(value, int) else product
