"""A thread that may be abandoned: it keeps neither its owner nor the process waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Task = tuple[Callable[[], Any], "Future[Any]"]


class AbandonableThread(Executor):
    """Runs one call at a time in a daemon thread of its own, which the first call starts."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._is_started = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Call ``fn`` after all calls submitted before."""
        if not self._is_started:
            self._is_started = True
            self._thread.start()
        future: Future[T] = Future()
        self._tasks.put((lambda: fn(*args, **kwargs), future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the thread after its present call; never waits for it."""
        del wait, cancel_futures
        self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            call, future = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is the waiting caller's, of any kind
                future.set_exception(error)
