"""What the aggregators should say, written from their contract: slow, and one window at a time.

The whole history is told to each window anew. Nothing is ever forgotten here, so what is held
against it keeps more windows than there are.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from barsync_async.aggregation import GivenUp, Outcome, Refused, Trade
from barsync_async.messages import Bar
from barsync_async.units import TIMEFRAMES, WallMs

MINUTE = 60_000


class Part(NamedTuple):
    bar: Bar
    now: int


class Print(NamedTuple):
    trade: Trade
    now: int


class Clock(NamedTuple):
    now: int
    heard_at: int | None


class Connection(NamedTuple):
    up: bool
    now: int


Step = Part | Print | Clock | Connection


class Line:
    """The connection, as one window sees it."""

    def __init__(self, begins_at: int) -> None:
        self.begins_at = begins_at
        self.up_since: int | None = None

    def turn(self, step: Connection) -> None:
        self.up_since = step.now if step.up else None

    def vouches(self) -> bool:
        return self.up_since is not None and self.up_since <= self.begins_at


def longer_bar(parts: Sequence[Bar], timeframe: str, end: int) -> Bar:
    """The bar of ``parts``, which are in the order of time."""
    return Bar(
        parts[0].symbol,
        timeframe,
        WallMs(end),
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        float(sum(Fraction(part.volume) for part in parts)),
    )


def bar_of_trades(prints: Sequence[Print], timeframe: str, end: int) -> Bar | None:
    """The bar of ``prints``, which are in the order of arrival; None where none may open it."""
    trades = [each.trade for each in prints]
    opening = [trade for trade in trades if trade.alters.open_close]
    opening.sort(key=lambda trade: (trade.at_ms, trade.number))
    if not opening:
        return None
    priced = [trade for trade in trades if trade.alters.high_low]
    prices = sorted(trade.price for trade in (*opening, *priced))
    volume = float(sum(Fraction(trade.size) for trade in trades if trade.alters.volume))
    first, last = opening[0].price, opening[-1].price
    return Bar("A", timeframe, WallMs(end), first, prices[-1], prices[0], last, volume)


def heard(step: Clock, end: int) -> bool:
    return step.heard_at is not None and end <= step.heard_at <= step.now


class Rules(NamedTuple):
    timeframe: str
    grace_ms: int
    part_ms: int = 0


def bars_story(end: int, steps: Sequence[Step], rules: Rules) -> Iterator[list[Outcome]]:
    """What the window that ends at ``end`` makes of each step."""
    length = TIMEFRAMES[rules.timeframe].length_ms
    line = Line(end - length)
    parts: dict[int, Bar] = {}
    everything: dict[int, Bar] = {}
    newest, patience, over, given = 0, end + rules.grace_ms, False, None
    for step in steps:
        gives, gives_up, news = False, False, False
        match step:
            case Connection():
                line.turn(step)
                newest = 0
            case Part(bar, now) if everything.get(bar.timestamp) != bar:
                everything[bar.timestamp] = bar
                newest = max(newest, bar.timestamp)
                if end - length < bar.timestamp <= end:
                    parts[bar.timestamp] = bar
                    news = True
                    if not over and now >= end + rules.grace_ms:
                        patience = now + rules.grace_ms
                complete = len(parts) == length // rules.part_ms
                gives = not over and (complete or (line.vouches() and newest > end))
                gives = gives or (over and news and (given is not None or complete))
            case Clock(now, _) if parts and not over:
                patience = min(patience, max(end, now) + rules.grace_ms)
                gives = now >= end + rules.grace_ms and line.vouches() and heard(step, end)
                gives_up = now >= patience and not line.vouches()
        over = over or gives_up or (gives and bool(parts))
        made = (
            longer_bar([parts[at] for at in sorted(parts)], rules.timeframe, end) if parts else None
        )
        if gives and made is not None and made != given:
            given = made
            yield [made]
        else:
            yield [GivenUp(WallMs(end), "incomplete")] if gives_up else []


def trades_story(end: int, steps: Sequence[Step], rules: Rules) -> Iterator[list[Outcome]]:
    """What the window that ends at ``end`` makes of each step."""
    length = TIMEFRAMES[rules.timeframe].length_ms
    line = Line(end - length - rules.grace_ms)
    prints: list[Print] = []
    seen: set[tuple[int, int | str]] = set()
    newest, over, known, given = 0, False, False, None
    for step in steps:
        settles, news = False, False
        match step:
            case Connection():
                line.turn(step)
                newest = 0
            case Print(trade, _) if trade.id is None or (trade.at_ms, trade.id) not in seen:
                if trade.id is not None:
                    seen.add((trade.at_ms, trade.id))
                newest = max(newest, trade.at_ms)
                if end - length <= trade.at_ms < end:
                    prints.append(step)
                    news = True
                settles = newest >= end + rules.grace_ms
            case Clock(now, _):
                settles = now >= end + rules.grace_ms
                settles = settles and (heard(step, end) or not line.vouches())
        settles = settles and bool(prints) and not over
        gives = (settles and line.vouches()) or (news and known)
        over, known = over or settles, known or gives
        made = bar_of_trades(prints, rules.timeframe, end) if prints else None
        if gives and made is not None and made != given:
            given = made
            yield [made]
        else:
            yield [GivenUp(WallMs(end), "incomplete")] if settles and not gives else []


def is_future(step: Step) -> bool:
    match step:
        case Part(bar, now):
            return bar.timestamp > now + MINUTE
        case Print(trade, now):
            return trade.at_ms > now + MINUTE
        case _:
            return False


def told(steps: Sequence[Step], rules: Rules) -> list[list[Outcome]]:
    """For each step what is to come out, oldest window first."""
    story = bars_story if rules.part_ms else trades_story
    timeframe = TIMEFRAMES[rules.timeframe]
    passed = [step for step in steps if not is_future(step)]
    ends = {
        timeframe.next_close(each.bar.timestamp - 1) for each in passed if isinstance(each, Part)
    }
    ends |= {timeframe.next_close(each.trade.at_ms) for each in passed if isinstance(each, Print)}
    stories = [story(end, passed, rules) for end in sorted(ends)]
    merged: list[list[Outcome]] = []
    for step in steps:
        if isinstance(step, Part) and is_future(step):
            merged.append([Refused(step.bar.timestamp, "future")])
        elif isinstance(step, Print) and is_future(step):
            merged.append([Refused(step.trade.at_ms, "future")])
        else:
            merged.append([outcome for each in stories for outcome in next(each)])
    return merged
