"""A strategy's own process, from within: it serves one strategy until its connection ends.

It ends with the daemon, however that ends: a thread of its own waits on the connection while the
strategy decides. The signals by which a daemon is stopped are left to the daemon.
"""

import os
import pickle
import signal
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from traceback import format_exception

from barsync_async.plugins import reason
from barsync_async.shell.components.held_strategy import HeldStrategy
from barsync_async.shell.components.strategy_wire import (
    Greeting,
    decode_request,
    encode_greeting,
    encode_reply,
)
from barsync_async.strategy_choice import strategy_maker

_MOST_TRACEBACK = 20_000


def serve(descriptor: int) -> None:
    """Make the strategy that the first message names, and answer every further one."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - has no name
    connection: Connection[bytes, bytes] = Connection(descriptor)
    os.register_at_fork(after_in_child=connection.close)  # only this process may answer
    requests: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(connection, requests), daemon=True).start()
    held = _greet(connection, requests.get())
    while held is not None:
        request = decode_request(requests.get())
        answer = held.decide(request.features, request.portfolio)
        connection.send_bytes(encode_reply(request.number, answer))


def _greet(connection: "Connection[bytes, bytes]", choice: bytes) -> HeldStrategy | None:
    try:
        held = HeldStrategy(strategy_maker(pickle.loads(choice)))  # noqa: S301 - from the daemon
    except Exception as error:  # noqa: BLE001 - told by the daemon
        trace = "".join(format_exception(error))[-_MOST_TRACEBACK:]
        greeting = Greeting("", _utf8(reason(error)), _utf8(trace))
        connection.send_bytes(encode_greeting(greeting))
        return None
    connection.send_bytes(encode_greeting(Greeting(held.name)))
    return held


def _utf8(text: str) -> str:
    """``text`` with what UTF-8 cannot hold, as the bytes of a file's name, spelt out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _listen(connection: "Connection[bytes, bytes]", requests: "SimpleQueue[bytes]") -> None:
    while True:
        try:
            requests.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # the daemon is gone, or lets go: whatever the strategy is at
