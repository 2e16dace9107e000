"""Seats on a real loop: the virtual one has no threads, so each test brings its own."""

import asyncio
from pathlib import Path
from typing import Any

from barsync_async.messages import Decision, Features
from barsync_async.shell.components.held_strategy import Failure
from barsync_async.shell.components.strategy_seat import NOT_YET, ProcessSeat
from barsync_async.units import WallMs

NOON = 1_800_000_000_000
UNRULY = "tests.shell.components.unruly"
LONG_MS = 60_000.0
QUESTION = Features(timestamp=WallMs(NOON), features={}, bars={})


def answers(choice: dict[str, Any], *limits_ms: float) -> list[Any]:
    """What the strategy in a process says to so many questions."""

    async def main() -> list[Any]:
        seat = ProcessSeat(choice)
        try:
            return [await asked(seat, limit_ms) for limit_ms in limits_ms]
        finally:
            seat.stop()

    return asyncio.run(main())


async def asked(seat: ProcessSeat, limit_ms: float) -> Any:
    """Once the process is there."""
    if seat._successor._begun is not None:
        await asyncio.wait([seat._successor._begun])
    return await seat.ask(QUESTION, None, limit_ms)


def counted(number: int) -> Decision:
    return Decision({"SPY": float(number)}, f"at {NOON} on 0")


def test_one_that_spins_is_killed_and_begins_anew_without_its_start_being_counted() -> None:
    choice = {"name": f"{UNRULY}:Counting", "wrong": {"2": "spin"}}
    assert answers(choice, LONG_MS, 30, LONG_MS) == [
        counted(1),
        Failure("late", "no decision within 30 ms"),
        counted(1),
    ]


def test_one_that_dies_begins_anew() -> None:
    choice = {"name": f"{UNRULY}:Counting", "wrong": {"2": "crash"}}
    assert answers(choice, LONG_MS, LONG_MS, LONG_MS) == [
        counted(1),
        Failure("died", "the process was ended by SIGSEGV"),
        counted(1),
    ]


def test_nobody_waits_for_a_new_process_to_begin_for_longer_than_for_a_decision() -> None:
    async def main() -> list[Any]:
        seat = ProcessSeat({"name": f"{UNRULY}:Counting", "wrong": {"1": "exit"}})
        try:
            await asked(seat, LONG_MS)
            return [await seat.ask(QUESTION, None, 0.0) for _ in range(2)]
        finally:
            seat.stop()

    assert asyncio.run(main()) == [NOT_YET, NOT_YET]


def test_one_that_cannot_begin_anew_is_told_at_each_question(tmp_path: Path) -> None:
    path = tmp_path / "once"
    path.touch()
    first, second, third = answers(
        {"name": f"{UNRULY}:MadeOnce", "path": str(path)}, *[LONG_MS] * 3
    )
    assert first == Failure("died", "the process ended with 4")
    for later in (second, third):
        assert (later.kind, later.is_anew) == ("died", False)
        anew = f"cannot be made anew: {UNRULY}:MadeOnce: FileNotFoundError: "
        assert later.detail.startswith(anew)
