"""Strategies for processes of their own: light to import, each with its way of going wrong."""

import math
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from barsync_async.messages import Decision, Features, PortfolioUpdate
from barsync_async.shell.components.strategy_wire import encode_reply


class Counting:
    """Wants as many units of SPY as it was asked times; ``wrong`` says where it fails, and how."""

    def __init__(self, label: str = "counting", wrong: Mapping[str, str] | None = None) -> None:
        self.name = label
        self._wrong = {int(key): value for key, value in (wrong or {}).items()}
        self._asked = 0

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Any:
        self._asked += 1
        if how := self._wrong.get(self._asked):
            return getattr(self, f"_{how}")()
        seen = 0 if portfolio is None else portfolio.version
        return Decision({"SPY": float(self._asked)}, f"at {features.timestamp} on {seen}")

    def _raise(self) -> None:
        raise ValueError("as told")

    def _exit(self) -> None:
        os._exit(3)

    def _leave(self) -> None:
        sys.exit("as told")

    def _interrupt(self) -> None:
        raise KeyboardInterrupt

    def _crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def _spin(self) -> None:
        while True:
            pass

    def _fork(self) -> None:
        """Leave another in our group, and overrun."""
        if os.fork() == 0:
            signal.pause()
        signal.pause()

    def _escape(self) -> None:
        """Leave another in a session of its own, with a copy of the connection, and overrun."""
        copies = [os.dup(descriptor) for descriptor in _others()]
        if os.fork() == 0:
            os.setsid()
            os.read(copies[0], 1)  # until the daemon lets go
            os._exit(0)
        signal.pause()

    def _flood(self) -> Decision:
        return Decision({f"S{number}": 1.0 for number in range(20_000)}, "")

    def _print(self) -> Decision:
        sys.stdout.write("x" * 100 + "\n")
        sys.stdout.write("y\n" * 100_000)
        sys.stdout.flush()
        return Decision({}, "printed")

    def _mutter(self) -> None:
        """Print a line, of which it flushes nothing, and be killed."""
        print("muttered", self._asked)  # noqa: T201 - that is the point
        os.kill(os.getpid(), signal.SIGKILL)

    def _lie(self) -> None:
        """Write to the daemon behind our back."""
        _write(b"lie")

    def _cheat(self) -> None:
        """Write a decision that nobody has checked."""
        _write(encode_reply(1, Decision({"SPY": math.nan}, "")))

    def _repeat(self) -> Decision:
        _write(encode_reply(1, Decision({}, "first")))
        return Decision({}, "again")


def _write(message: bytes) -> None:
    for descriptor in _others():
        os.write(descriptor, len(message).to_bytes(4, "big") + message)


def _others() -> Iterator[int]:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a folder of numbers
        path = f"/proc/self/fd/{name}"
        if os.path.exists(path) and os.readlink(path).startswith("socket:"):  # noqa: PTH110, PTH115
            yield int(name)


class Altering:
    """Tries to alter what it is shown."""

    name = "altering"

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        tried = 0
        for mapping in (features.bars, features.features, *features.features.values()):
            try:
                mapping["SPY_1m"] = 1  # type: ignore[index]  # that is the point
            except TypeError:
                tried += 1
        return Decision({}, f"{tried} times refused")


class Unmakeable:
    """Cannot be made."""

    def __init__(self, how: str) -> None:
        if how == "refuse":
            raise ValueError("not today")
        os._exit(5)


class MadeOnce:
    """Can be made while the file is there, and takes it away."""

    name = "made_once"

    def __init__(self, path: str) -> None:
        os.unlink(path)  # noqa: PTH108 - light to import

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        os._exit(4)
