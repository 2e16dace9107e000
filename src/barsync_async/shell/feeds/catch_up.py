"""One line making up for what was missed while there was none."""

import anyio

from barsync_async.shell.feeds.backfill import HandOn
from barsync_async.shell.feeds.line import Line
from barsync_async.shell.feeds.past_bars import PastBars, in_order
from barsync_async.shell.intake import Intake
from barsync_async.shell.waiting import cancelled_by

_WITHIN_S = 60.0
_ASK_S, _SILENT_S = 3.0, 4.0  # Coinbase gives us 5 s to subscribe; Kraken is silent till then


async def catch_up(line: Line, past: PastBars, intake: Intake, hand_on: HandOn) -> bool:
    """Get what was missed: before anything is subscribed, for sets go out in order, and bars
    behind later ones are late; and once everything is, what was not there yet. Give up with the
    line. Safe to cancel.

    Returns:
        Whether all that can be had was handed on and has arrived, or has taken a minute.
    """
    async with cancelled_by(line.ended):
        with anyio.move_on_after(_WITHIN_S):
            await _make_up(past, intake, hand_on)
            line.speak()
            await line.ready.wait()
            await past.hand_on_missed(hand_on)
            await intake.empty()  # nobody may hear that it is over before he has it
        line.speak()
    return not line.ended.is_set()


async def _make_up(past: PastBars, intake: Intake, hand_on: HandOn) -> None:
    """What was missed, as far as it comes while the venue waits for our subscription. All that
    came is handed on; in good time, one timestamp after the other.
    """
    impatient_at = anyio.current_time() + _SILENT_S
    for of_one in in_order(await past.missed(_ASK_S)):
        await hand_on(of_one)
        past.note(of_one)
        with anyio.CancelScope(deadline=impatient_at):
            await intake.empty()
