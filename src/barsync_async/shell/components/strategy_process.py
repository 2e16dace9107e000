"""A strategy's own process, from outside: started, asked, killed. Its calls block."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import cast

import msgspec

from barsync_async.messages import Features, PortfolioUpdate, excerpt
from barsync_async.shell.components.held_strategy import Answer, Failure, checked_name
from barsync_async.shell.components.strategy_output import StrategyOutput
from barsync_async.shell.components.strategy_wire import (
    MOST_REPLY_BYTES,
    RequestEncoder,
    decode_greeting,
    decode_reply,
)
from barsync_async.strategy_choice import StrategyChoice

START_LIMIT_S = 30.0
"""How long a strategy may take to be made, its imports included."""

_END_LIMIT_S = 1.0

# The path comes first: what the daemon can import, the process can.
_PROGRAM = """\
import sys
sys.path[:] = {path!r}
from barsync_async.shell.components.strategy_child import serve
serve({descriptor})
"""


class StrategyProcess:
    """One process after the other, each with the strategy that ``choice`` names in it.

    The process is a new interpreter in a session of its own: it shares nothing with this one but
    the connection, and ends when that does. What it started ends with it. What the strategy prints
    goes to the log at once: nothing is buffered there, for it may be killed at any moment.

    Args:
        choice: the strategy.
        encoder: the one that it shares with all that are asked the same; None: its own.

    Raises:
        ValueError: ``choice`` cannot be sent to another process.
    """

    def __init__(self, choice: StrategyChoice, encoder: RequestEncoder | None = None) -> None:
        self._encoder = encoder or RequestEncoder()
        self._label = str(choice["name"] if isinstance(choice, dict) else choice)
        try:
            self._choice = pickle.dumps(choice)
        except Exception as error:  # whatever an object's own pickling raises
            raise ValueError(
                f"{self._label}: its parameters cannot go to another process: {error}"
            ) from error
        self._end: Callable[[], object] = lambda: None
        self.start()

    def start(self) -> None:
        """Begin a new process, in place of the one before; does not wait for it."""
        self.close()
        self.is_lost = False
        self._connection, theirs = Pipe()
        with theirs:
            program = _PROGRAM.format(path=sys.path, descriptor=theirs.fileno())
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-u", "-X", "faulthandler", "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._output = StrategyOutput(self._label, cast("BufferedReader", self._process.stdout))
        self._end = weakref.finalize(self, _end, self._process, self._connection)
        self._send(self._choice)

    def greeted(self) -> str:
        """The strategy's name, once it is made.

        Raises:
            ValueError: it cannot be made, or not in time.
        """
        try:
            if not self._connection.poll(START_LIMIT_S):
                self.kill()
                raise ValueError(f"the strategy was not made within {START_LIMIT_S:g} s")
            greeting = decode_greeting(self._connection.recv_bytes(MOST_REPLY_BYTES))
        except (EOFError, OSError, msgspec.DecodeError):
            self.is_lost = True
            raise ValueError(f"the strategy's process {self._fate()} at its start") from None
        if greeting.error is not None:
            self.kill()
            error = ValueError(greeting.error)
            error.add_note(greeting.traceback)
            raise error
        self._label = self._output.strategy = checked_name(greeting.name)
        return self._label

    def ask(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """What the strategy says; afterwards the process may be lost."""
        self._output.next_decision()
        number, request = self._encoder.encode(features, portfolio)
        self._send(request)
        try:
            return decode_reply(number, self._connection.recv_bytes(MOST_REPLY_BYTES))
        except (EOFError, ConnectionError):  # reset: it ended before it read the question
            self.is_lost = True
            return Failure("died", f"the process {self._fate()}")
        except (OSError, ValueError, msgspec.DecodeError) as error:
            self.kill()
            return Failure("died", excerpt(f"the process sent what is no decision: {error}"))

    def kill(self) -> None:
        """End the process at once, whatever it does; a call that waits for it returns."""
        self.is_lost = True
        _kill(self._process, self._connection)

    def close(self) -> None:
        """End the process and forget it."""
        self._end()

    def _send(self, message: bytes) -> None:
        try:
            self._connection.send_bytes(message)
        except OSError:  # it is gone: what is read next tells
            return

    def _fate(self) -> str:
        try:
            code = self._process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "closed its connection"
        _kill_group(self._process.pid)
        return f"ended with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def _end(process: "subprocess.Popen[bytes]", connection: "Connection[bytes, bytes]") -> None:
    _kill(process, connection)
    with suppress(subprocess.TimeoutExpired):  # the system still has it: nothing more can be done
        process.wait(_END_LIMIT_S)
    connection.close()


def _kill(process: "subprocess.Popen[bytes]", connection: "Connection[bytes, bytes]") -> None:
    """Also whoever reads from ``connection`` is freed: what the strategy started may have the other
    end, and may have left the group.
    """
    if process.returncode is None:  # otherwise the number may be another's by now
        _kill_group(process.pid)
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as ours:
        ours.shutdown(socket.SHUT_RDWR)


def _kill_group(number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left in it
        os.killpg(number, signal.SIGKILL)
