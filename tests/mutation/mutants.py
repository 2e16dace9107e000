"""Small mistakes that somebody could make in the core, each of which a test has to notice."""

from tests.mutation.feature_mutants import FEATURE_MUTANTS
from tests.mutation.mutant import Mutant
from tests.mutation.portfolio_mutants import PORTFOLIO_MUTANTS
from tests.mutation.trade_mutants import TRADE_MUTANTS


def _of(file: str, *mistakes: tuple[str, str, str]) -> list[Mutant]:
    return [Mutant(f"{file}.py", *mistake) for mistake in mistakes]


_SYNCHRONIZER = _of(
    "synchronizer",
    (
        "a source proved absent takes the quick path",
        "            or self._through[index] >= timestamp\n            or (self._uneasy",
        "            or (self._uneasy",
    ),
    (
        "the quick path is taken while other slots are there",
        "slot = self._slots.sole or self._opened(",
        "slot = self._open.get(timestamp) or self._opened(",
    ),
    (
        "a slot opens quickly for a bar of the future",
        "            or not self._admission.refuses_none(timestamp, now)\n",
        "",
    ),
    (
        "a slot opens quickly again for what is over",
        "            or timestamp <= life.furthest\n",
        "",
    ),
    (
        "a slot opens quickly though somebody is excluded",
        "            or self._liveness.excluded\n",
        "",
    ),
    (
        "a slot opens quickly for who is not due",
        "            or not due.flags[index]\n",
        "",
    ),
    (
        "a slot opens quickly beside others",
        "            self._order\n            or timestamp",
        "            timestamp",
    ),
    (
        "the quick path is taken by a source that missed",
        "            or (self._uneasy and index in self._uneasy)\n",
        "",
    ),
    (
        "the program's own bars take the quick path of a feed",
        "            or (feed is None and self._has_feeds)\n",
        "",
    ),
    (
        "the quick path proves nothing",
        "        self._through[index] = timestamp\n        slot.waiting -= 1",
        "        slot.waiting -= 1",
    ),
    (
        "the quick path opens although a source is absent",
        "if not slot.absent and self._admission",
        "if self._admission",
    ),
    (
        "a reconnect leaves the quick path open",
        "        self._life.look_closer()  # what was proved absent may come after all\n",
        "",
    ),
    (
        "a clock step leaves the quick path open",
        "        self._life.look_closer()  # what was no bar of the future may be one now\n",
        "",
    ),
    (
        "sealed a millisecond early",
        "now.mono < deadline:",
        "now.mono < deadline - 1_000_000:",
    ),
    ("not sealed at the deadline itself", "now.mono < deadline:", "now.mono <= deadline:"),
    (
        "the end counts as a deadline",
        "self._life.settle(timestamp, Cause.END, now)",
        "self._life.settle(timestamp, Cause.DEADLINE, now)",
    ),
    (
        "at the end the clock is still waited for",
        "        self._life.timing.await_close(None, now)\n",
        "",
    ),
    (
        "a refused bar is not counted for its source",
        "            self._counters.rejected[index] += 1\n",
        "",
    ),
    (
        "another reason is counted as conflict",
        'reason == "conflict"',
        'reason == "future"',
    ),
    ("repetitions are corrections", "elif is_same(held, bar):", "elif not is_same(held, bar):"),
    (
        "a correction before the seal is ignored",
        "            slot.cells[index] = bar\n            return",
        "            return",
    ),
    (
        "the last bar repeated after it was forgotten is late",
        "if is_same(held or self._life.last.bars[index], bar):",
        "if is_same(held, bar):",
    ),
    (
        "a late bar is known before its slot is released",
        "        if slot is None or slot.state is State.RELEASED:\n            self._life.last",
        "        if bar:\n            self._life.last",
    ),
    ("late bars are not counted", "        self._counters.late[index] += 1\n", ""),
    (
        "too many slots are left open",
        "        self._life.make_room(now)\n",
        "",
    ),
    (
        "a sleep is not remembered",
        "(round(now.wall - step_ms), now.wall)",
        "(now.wall, now.wall)",
    ),
    (
        "every step is a sleep",
        '        if cause == "resume":\n',
        "        if cause:\n",
    ),
    (
        "deadlines stay after a clock step",
        "        self._life.timing.step(now)\n",
        "",
    ),
    (
        "a new connection proves what the old one did",
        "        self._life.proof.reset(feed)\n",
        "",
    ),
    (
        "who went down is still waited for",
        "            self._life.let_go(change, now)\n",
        "",
    ),
    (
        "bars of no set are late",
        "if not self.alignment.due(bar.timestamp).flags[index]:",
        "if False:",
    ),
)

_ADMISSION = _of(
    "admission",
    (
        "the last moment allowed is the future",
        "return timestamp > now.wall + self._ahead_ms",
        "return timestamp >= now.wall + self._ahead_ms",
    ),
    (
        "one interval ahead is the future",
        "alignment.base.length_ms + max_future_ms",
        "max_future_ms",
    ),
    (
        "a differing twin is accepted",
        'return "conflict" if twin is not None and not is_same(twin, bar) else None',
        "return None",
    ),
    (
        "a feed conflicts with itself",
        "return None if first == feed else",
        "return None if first != feed else",
    ),
    (
        "the program's own bars are refused",
        "        if feed is None:\n            return None\n        if not self._al",
        "        if not self._al",
    ),
    (
        "a feed's bar takes the quick path off the grid",
        "return self._alignment.is_on_base_grid(timestamp) and not",
        "return not",
    ),
    (
        "a feed's bar takes the quick path into the future",
        "return self._alignment.is_on_base_grid(timestamp) and not self._is_future(timestamp, now)",
        "return self._alignment.is_on_base_grid(timestamp)",
    ),
)

_ALIGNMENT = _of(
    "alignment",
    (
        "the base grid is that of sessions only",
        "return self.base.closes_at(timestamp) or any(",
        "return any(",
    ),
    (
        "a daily bar with a calendar closes at midnight",
        "timeframe.length_ms >= _DAY_MS",
        "timeframe.length_ms > _DAY_MS",
    ),
    (
        "off the grid nobody is due",
        "tuple(group.timeframe is self.base for group in self._groups)",
        "tuple(False for group in self._groups)",
    ),
    ("the clock leaps over slots", "after = min(known)", "after = max(known)"),
    (
        "outside its session a bar is off the grid",
        "        if self.by_session:\n",
        "        if self.calendar is not None:\n",
    ),
    (
        "all sources of a timeframe share one calendar",
        "(timeframe.name, id(calendar))",
        '(timeframe.name, "")',
    ),
    ("slow and fast are swapped", "each is not self.base", "each is self.base"),
    (
        "with one calendar for all, all are always due",
        "plain = len(self._groups) == 1 and self._groups[0].calendar is None",
        "plain = len(self._groups) == 1",
    ),
)

_CALENDAR = _of(
    "calendar",
    (
        "a session overlaps the bar that begins as it closes",
        "bisect_right(self.closes, timestamp - timeframe.length_ms)",
        "bisect_left(self.closes, timestamp - timeframe.length_ms)",
    ),
    (
        "a session overlaps the bar that ends as it opens",
        "self.opens[place] < timestamp",
        "self.opens[place] <= timestamp",
    ),
    (
        "Sunday midnight belongs to the next week",
        "_WEEK.next_close(day - 1)",
        "_WEEK.next_close(day)",
    ),
    (
        "the next daily close may be the present one",
        "bisect_right(ends, after)",
        "bisect_left(ends, after)",
    ),
    (
        "a session that opens on the grid is left out",
        "bisect_left(self.opens, timestamp)",
        "bisect_right(self.opens, timestamp)",
    ),
    ("a session of no length is allowed", "if opened >= closed:", "if opened > closed:"),
    ("sessions that touch overlap", "if opened < closed:", "if opened <= closed:"),
    (
        "a daily bar needs only an overlap",
        "if timeframe.length_ms < _DAY_MS:",
        "if timeframe.length_ms <= _DAY_MS:",
    ),
    (
        "every session ends a day",
        "self.closes if days is None else sorted(days)",
        "self.closes",
    ),
)

_CELLS = _of(
    "cells",
    (
        "a bar of just the greatest age is too old",
        "timestamp - before.timestamp > max_age_ms",
        "timestamp - before.timestamp >= max_age_ms",
    ),
    ("carried cells are called filled", 'slot.timestamp, "carried")', 'slot.timestamp, "filled")'),
    (
        "interpolated from the wrong end",
        "share = (timestamp - before.timestamp)",
        "share = (after.timestamp - timestamp)",
    ),
    (
        "the volume is not interpolated",
        "between(before.volume, after.volume)",
        "before.volume",
    ),
    (
        "last_known interpolates too",
        'following(index) if spec.missing == "interpolate" else None',
        "following(index)",
    ),
    ("ages are counted from the epoch", "age_ms=timestamp - bar.timestamp", "age_ms=timestamp"),
)

_LAST_BARS = _of(
    "last_bars",
    (
        "an older late bar replaces a newer one",
        "(last is not bar and last.timestamp <= bar.timestamp)",
        "last is not bar",
    ),
    (
        "a late bar does not replace the one that it corrects",
        "last.timestamp <= bar.timestamp",
        "last.timestamp < bar.timestamp",
    ),
    ("a missing bar is forgotten", "old if new is None else new", "new"),
    (
        "the cells of a released slot are altered",
        "bars = [*self.bars]",
        "bars = self.bars",
    ),
)

_LATENESS = _of(
    "lateness",
    (
        "at the last moment allowed nothing is amended",
        "late_ns <= self._allowed_ns",
        "late_ns < self._allowed_ns",
    ),
    (
        "amended without a revision",
        "return [] if revised is None else [revised]",
        "return []",
    ),
    (
        "a set that waits is not amended",
        "            slot.amending.append((index, bar))\n",
        "",
    ),
    (
        "the late bar of another source is forgotten",
        "{**(slot.late or {}), index: bar}",
        "{index: bar}",
    ),
    (
        "a list that others hold is altered",
        "slot.cells = [*slot.cells]  # the",
        "pass  # the",
    ),
    (
        "a stray late bar is forgotten",
        "            self._memory.keep_stray(index, bar)\n",
        "",
    ),
    ("late by less than nothing", "max(0, now.mono - sealed_at)", "now.mono - sealed_at"),
    ("dropped bars amend", "slot is not None and self._amends and", "slot is not None and"),
)

_MEMORY = _of(
    "memory",
    ("late after the last slot, not the next", "later = min((when", "later = max((when"),
    (
        "bars of no set come a set too late",
        "self._unsettled[0][0] <= timestamp",
        "self._unsettled[0][0] < timestamp",
    ),
    (
        "the neighbour is the farthest",
        "self._between.get(min(later))",
        "self._between.get(max(later))",
    ),
    (
        "a source has the earlier bars of all",
        "any(key[1] == index and key[0] < timestamp for",
        "any(key[0] < timestamp for",
    ),
    ("one too few is remembered", "if len(memory) > count:", "if len(memory) >= count:"),
    (
        "repetitions push others out",
        "        if is_same(held, bar):\n            return held\n",
        "",
    ),
    (
        "bars of no set are without bound",
        "if len(self._unsettled) > self._most_bars:",
        "if not self._unsettled:",
    ),
    (
        "the last feed with a bar was the first",
        "first = self._first_feed.setdefault((timestamp, index), feed)",
        "first = self._first_feed[timestamp, index] = feed",
    ),
)

_PROOF = _of(
    "proof",
    ("one of two feeds proves", "return len(carriers) <= 1 and", "return len(carriers) <= 2 and"),
    (
        "a feed without order proves",
        "len(carriers) <= 1 and not self._unordered.intersection(carriers)",
        "len(carriers) <= 1",
    ),
    (
        "two feeds prove though one has no order",
        "if not (self._unordered | self._catching_up).isdisjoint(carriers):",
        "if not self._catching_up.isdisjoint(carriers):",
    ),
    (
        "bars of no feed prove",
        "        if carriers and feed not in carriers:\n            return\n",
        "",
    ),
    ("the faster of two feeds proves", "return min(self._newest", "return max(self._newest"),
    (
        "a reconnect keeps the proof of an only feed",
        "                    self.through[index] = NOTHING",
        "                    pass",
    ),
    (
        "a reconnect keeps the proof of one of two feeds",
        "                self._newest.pop((index, feed), None)\n",
        "",
    ),
    (
        "an older bar takes the proof back",
        "self.through[index] = max(self.through[index], timestamp)",
        "self.through[index] = timestamp",
    ),
    (
        "any reconnect resets every source",
        "            if feed in carriers:\n                self._newest",
        "            if feed:\n                self._newest",
    ),
)

_PUBLICATION = _of(
    "publication",
    (
        "complete though a source is absent",
        '        if slot.is_complete:\n            status = "complete"',
        '        if not slot.waiting:\n            status = "complete"',
    ),
    (
        "a source that is not due cannot be warming up",
        "self._alignment.slow[each] or not slot.due[each]",
        "self._alignment.slow[each]",
    ),
    (
        "a slower source cannot be warming up",
        "self._alignment.slow[each] or not slot.due[each]",
        "not slot.due[each]",
    ),
    ("amended without a new revision", "        slot.revision += 1\n", ""),
    ("revisions are not counted", "        self._counters.revised += 1\n", ""),
    (
        "a revision is complete although nobody is due",
        "if any(slot.due) and not slot.missing():",
        "if not slot.missing():",
    ),
    (
        "a revision goes out with an empty cell",
        "            return None\n        slot.revision",
        "            pass\n        slot.revision",
    ),
    (
        "filled cells are present",
        '_THERE = frozenset({"fresh", "carried"})',
        '_THERE = frozenset({"fresh", "carried", "filled"})',
    ),
    ("sets without a cell go out", "if not any(cells):", "if False:"),
    (
        "partial sets go out as filled",
        '"filled" if is_whole else "partial"\n        if slot',
        '"filled"\n        if slot',
    ),
)

_SLOT = _of(
    "slot",
    (
        "the end does not end a hold",
        "(State.HELD, cause): State.SEALED for cause in _SEALING",
        "(State.HELD, cause): State.SEALED for cause in _SEALING[:3]",
    ),
    (
        "a released slot may be held",
        "    (State.SEALED, Cause.HOLD):",
        "    (State.RELEASED, Cause.HOLD): State.HELD,\n    (State.SEALED, Cause.HOLD):",
    ),
    (
        "the bar of a source given up counts twice",
        "        elif not self._found(index):",
        "        else:",
    ),
    (
        "excluding counts an absent source twice",
        "        self.excluded.add(index)\n        if not self._found(index):",
        "        self.excluded.add(index)\n        if True:",
    ),
    (
        "absence is counted twice",
        "        if index not in self.absent:\n            self.absent = _own",
        "        if True:\n            self.absent = _own",
    ),
    (
        "with everybody excluded a slot is sealed at once",
        "return not self.waiting and (not self.excluded or any(self.due))",
        "return not self.waiting",
    ),
    (
        "complete though a source is absent",
        "not self.waiting and not self.absent and",
        "not self.waiting and",
    ),
    (
        "the late bar is not the newest",
        "return late or self.cells[index]",
        "return self.cells[index] or late",
    ),
    (
        "sealed before the deadline, the loop lags by less than nothing",
        "max(0, self.sealed_at - self.deadline)",
        "self.sealed_at - self.deadline",
    ),
    (
        "an exclusion leaves the quick path open",
        "        self.quick = bytes(len(self.due))\n",
        "",
    ),
    ("an excluded source stays so with its bar", "            self.due[index] = 1\n", ""),
)

_SLOTS = _of(
    "slots",
    (
        "the timer of a sealed slot is not cancelled",
        "del self.open[timestamp], self.deadlines[timestamp]",
        "del self.open[timestamp]",
    ),
    (
        "the timer of a hold is not cancelled",
        "        slot.move(cause)\n        del self.deadlines[slot.timestamp]",
        "        slot.move(cause)",
    ),
    (
        "a set overtakes those that the clock has yet to open",
        "slot.timestamp > before:",
        "slot.timestamp < 0:",
    ),
    ("a held set goes out", "slot.state is State.SEALED:\n            if", "True:\n            if"),
    (
        "slots stand in the order of arrival",
        "insort(self.order, timestamp)",
        "self.order.append(timestamp)",
    ),
    (
        "a bar proves its own timestamp",
        ": bisect_left(self.order, end)]",
        ": bisect_right(self.order, end)]",
    ),
    (
        "a hold ends with a bar of its own timestamp",
        "slot.timestamp < timestamp:",
        "slot.timestamp <= timestamp:",
    ),
    (
        "a hold ends with the first of several bars",
        "if not slot.needs and slot.state is State.HELD:",
        "if slot.state is State.HELD:",
    ),
    (
        "a neighbour may be the bar itself",
        "self.order[bisect_right(self.order, timestamp) :]",
        "self.order[bisect_left(self.order, timestamp) :]",
    ),
    (
        "the bar itself is worth a hold",
        "self.order[: bisect_left(self.order, timestamp)]",
        "self.order[: bisect_right(self.order, timestamp)]",
    ),
    (
        "crowding spares the held",
        "slot.state is not State.SEALED:",
        "slot.state is State.OPEN:",
    ),
)

_TIMING = _of(
    "timing",
    (
        "the wall clock counts in whole ms",
        "now.mono - now.rest_ns + (wall",
        "now.mono + (wall",
    ),
    (
        "no least wait after the first bar",
        "deadline = MonoNs(max(deadline, slot.first_at + self._min_wait_ns))",
        "pass",
    ),
    (
        "a clock step moves no open slot",
        "                self._put_off(slot, now)\n            self",
        "                pass\n            self",
    ),
    (
        "a slot opened before the clock was set",
        "max(self._mono_at(timestamp, now), self._stepped_at)",
        "self._mono_at(timestamp, now)",
    ),
    (
        "the timer of the next slot is not cancelled",
        "deadlines.pop(self.next_close, None)",
        "pass",
    ),
    ("the clock opens what closed at the start", "next_slot(now.wall)", "next_slot(now.wall - 1)"),
    (
        "deadlines always count from the opening",
        "self._mono_at(timestamp, now) if self.by_clock else opened_at",
        "opened_at",
    ),
    (
        "deadlines always count from the close",
        "self._mono_at(timestamp, now) if self.by_clock else opened_at",
        "self._mono_at(timestamp, now)",
    ),
    ("a slot opens with its first bar only", "min(slot.opened_at, now.mono)", "now.mono"),
    ("the clock opens again what is over", " or self._is_over(timestamp)", ""),
    (
        "after a step the clock goes by its old reading",
        "            self.await_close(self.next_close, now)\n",
        "",
    ),
)

_LIVENESS = _of(
    "liveness",
    (
        "a bar does not reset the misses",
        "        self._misses[index] = 0\n        self.excluded",
        "        self.excluded",
    ),
    (
        "going down does not reset the misses",
        "            self._misses[index] = 0\n            yield",
        "            yield",
    ),
    (
        "idle a slot too late",
        "self._misses[index] < self._idle_after",
        "self._misses[index] <= self._idle_after",
    ),
    (
        "down with the first of two feeds",
        "any(\n            feed in self._up_since and",
        "all(\n            feed in self._up_since and",
    ),
    (
        "connected as the slot opened is not connected",
        "self._up_since.get(feed, since + 1) <= since",
        "self._up_since.get(feed, since + 1) < since",
    ),
    (
        "down before any connection",
        "lost = not reached and not self._once_up.isdisjoint(carriers)",
        "lost = not reached",
    ),
    ("a bar does not end the exclusion", "        self.excluded.discard(index)\n", ""),
    ("25 ms after the deadline is the machine's fault", "= 25_000_000", "= 24_999_999"),
    (
        "everybody is excluded",
        "            if self._exclude_idle:\n",
        "            if self._sources:\n",
    ),
    (
        "a source that missed takes the quick path",
        "        self.uneasy.add(index)\n        if self._misses",
        "        if self._misses",
    ),
    (
        "a connection makes an idle source live",
        'elif reached and self._is(index, "down"):',
        'elif reached and not self._is(index, "live"):',
    ),
    (
        "idle is told again and again",
        ' or self._is(index, "idle"):',
        ":",
    ),
    (
        "what happens without a connection is a miss",
        "if not self._idle_after or not self._was_connected(index, opened_at):",
        "if not self._idle_after:",
    ),
)

_LIFECYCLE = _of(
    "lifecycle",
    (
        "what the clock opens does not know what was proved",
        "if self.slots.add(slot) or timestamp < self.furthest:",
        "if self.slots.add(slot):",
    ),
    (
        "what opens late does not know what was proved",
        "if self.slots.add(slot) or timestamp < self.furthest:",
        "if self.slots.add(slot) and False:",
    ),
    (
        "excluded sources are waited for",
        "for index in self.liveness.excluded:",
        "for index in ():",
    ),
    (
        "a source that is not due is excluded",
        "            if slot.lacks(index):\n                slot.exclude(index)",
        "            slot.exclude(index)",
    ),
    (
        "what the clock opens is not sealed by proof",
        "        if slot.is_proved:\n            self.seal(slot, Cause.PROOF, now)\n        self.r",
        "        self.r",
    ),
    (
        "a later bar proves only the slots after it",
        "self.slots.open_within(before, through)",
        "self.slots.open_within(through, before)",
    ),
    (
        "a late bar ends a hold",
        "if self._interpolates and not self._is_late(index, bar.timestamp):",
        "if self._interpolates:",
    ),
    (
        "a bar of no set may be late",
        "return self.is_over(timestamp) and bool(self._alignment.due(timestamp).flags[index])",
        "return self.is_over(timestamp)",
    ),
    (
        "a bar never ends a hold",
        "            self.slots.end_holds(index, bar.timestamp)\n",
        "            pass\n",
    ),
    (
        "who turned idle is still waited for",
        "        if index is not None and index in self.liveness.excluded:\n            self.look",
        '        if change.status == "down":\n            self.look',
    ),
    (
        "giving up leaves the quick path open",
        "            self.look_closer()\n",
        "",
    ),
    (
        "every seal counts as one at the deadline",
        "slot.lag_ns if cause is Cause.DEADLINE else None",
        "slot.lag_ns",
    ),
    (
        "the end begins a hold",
        "if self._interpolates and cause in (Cause.PROOF, Cause.DEADLINE):",
        "if self._interpolates and cause is not Cause.CROWDED:",
    ),
    (
        "held though the next bar is there",
        "            and self._following(index, slot.timestamp) is None\n",
        "",
    ),
    (
        "held though there is nothing to interpolate from",
        "            if self._has_before(index, slot.timestamp)\n            and ",
        "            if ",
    ),
    ("held for no time at all", "if needs and self._hold_ns:", "if needs:"),
    (
        "a source proved absent missed its slot",
        "            if index not in slot.absent:\n",
        "            if slot.due[index]:\n",
    ),
    (
        "the machine's lag is the source's fault",
        "lag is not None and lag <= HEALTHY_LAG_NS:",
        "lag is not None:",
    ),
    (
        "one slot too few may be open",
        "while len(self.slots.order) > self._spec.max_open:",
        "while len(self.slots.order) >= self._spec.max_open:",
    ),
    ("crowding is not counted", "            self._counters.crowded += 1\n", ""),
    (
        "a sleep suspends what closed as it began",
        "start < slot.timestamp <= end",
        "start <= slot.timestamp <= end",
    ),
    (
        "a sleep does not suspend what closed as it ended",
        "start < slot.timestamp <= end",
        "start < slot.timestamp < end",
    ),
    (
        "suspended though bars came",
        "if self.slept and not any(slot.cells):",
        "if self.slept:",
    ),
    (
        "a late bar of a set that waited is forgotten",
        "for index, bar in slot.late.items():",
        "for index, bar in ():",
    ),
    (
        "bars of no set are not carried",
        "for index, bar in self.memory.settle_between(slot.timestamp):",
        "for index, bar in ():",
    ),
    ("the last timestamp is not over", "timestamp <= through", "timestamp < through"),
    (
        "the twin of a stray late bar is unknown",
        " or self.memory.stray(index, timestamp)",
        "",
    ),
    (
        "the twin of a bar of no set is unknown",
        "return bar or self.memory.between(index, timestamp) or",
        "return bar or",
    ),
    (
        "the bars of a set are forgotten with it",
        "        self.last.take_over(slot.cells)\n",
        "",
    ),
    (
        "substitutes are not counted",
        "        self._counters.count_filled(cells)\n",
        "",
    ),
    (
        "of the neighbours the farther one is taken",
        "return min(later, key=",
        "return max(later, key=",
    ),
)

_STATISTICS = _of(
    "statistics",
    ("a bound belongs below itself", 'values, side="right")', 'values, side="left")'),
    (
        "a quantile is a lower bound",
        "self.bounds_ms[min(place, len(self.bounds_ms) - 1)]",
        "self.bounds_ms[min(place, len(self.bounds_ms) - 1) - 1]",
    ),
    ("buckets are too wide", "_PER_OCTAVE = 8", "_PER_OCTAVE = 4"),
    (
        "bars of no source are not counted",
        "rejected = self.rejected_by.total()",
        "rejected = sum(self.rejected)",
    ),
    (
        "interpolated cells are not counted",
        '_STAND_INS = frozenset({"filled", "interpolated"})',
        '_STAND_INS = frozenset({"filled"})',
    ),
    ("what was counted is counted again", "        self._waiting.clear()\n", ""),
    (
        "what waits to be counted is without bound",
        "if len(self._arrivals) >= _WAITING:",
        "if len(self._arrivals) < 0:",
    ),
    ("lags are counted where none came", "np.nonzero(arrived)", "np.nonzero(arrived >= 0)"),
    (
        "negative lags are lost",
        "np.maximum(np.asarray(durations_ms, dtype=np.float64), 0.0)",
        "np.abs(np.asarray(durations_ms, dtype=np.float64))",
    ),
    (
        "every seal has an overshoot",
        "        if lag_ns is not None:\n            self._overshoots.append(lag_ns)",
        "        self._overshoots.append(lag_ns or 0)",
    ),
)

_CATCHING_UP = [
    *_of(
        "proof",
        (
            "a feed that catches up proves all the same",
            "        self._catching_up.add(feed)\n",
            "",
        ),
        (
            "a feed that catches up takes the plain way",
            "            self.through[index] = SLOW\n",
            "            pass\n",
        ),
        (
            "what was delivered while catching up is forgotten",
            "self.through[index] = self._newest.pop((index, feed), NOTHING)",
            "self.through[index] = NOTHING",
        ),
        (
            "a feed never has caught up",
            "        self._catching_up.discard(feed)\n        carried",
            "        carried",
        ),
        (
            "a connection lost while catching up still catches up",
            "        self._catching_up.discard(feed)\n        for",
            "        for",
        ),
    ),
    *_of(
        "lifecycle",
        (
            "what a feed proved while catching up is never applied",
            "            self._apply_proof(index, NOTHING, now)\n",
            "            pass\n",
        ),
    ),
    *_of(
        "liveness",
        (
            "a refused source stays refused on the next connection",
            "        self._refused = {each for each in self._refused if each[1] != feed}\n",
            "",
        ),
        (
            "a refused source is reached",
            "feed in self._up_since and (index, feed) not in self._refused for feed in carriers",
            "feed in self._up_since for feed in carriers",
        ),
        (
            "a refused source turns idle",
            "<= since and (index, feed) not in self._refused\n",
            "<= since\n",
        ),
    ),
    *_of(
        "synchronizer",
        (
            "what catching up sealed is not released",
            "        self._life.caught_up(feed, now)\n        self._life.release_ready()\n",
            "        self._life.caught_up(feed, now)\n",
        ),
    ),
]

MUTANTS = (
    *_CATCHING_UP,
    *_SYNCHRONIZER,
    *_ADMISSION,
    *_ALIGNMENT,
    *_CALENDAR,
    *_CELLS,
    *_LAST_BARS,
    *_LATENESS,
    *_MEMORY,
    *_PROOF,
    *_PUBLICATION,
    *_SLOT,
    *_SLOTS,
    *_TIMING,
    *_LIVENESS,
    *_LIFECYCLE,
    *_STATISTICS,
    *TRADE_MUTANTS,
    *PORTFOLIO_MUTANTS,
    *FEATURE_MUTANTS,
)
