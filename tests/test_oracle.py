"""The oracle against days worked out by hand. A minute is M; moments are in ns, T in ms."""

from tests.oracle import (
    DAY,
    Answer,
    Arrived,
    ClockStep,
    Connection,
    Input,
    Late,
    Oracle,
    Rejection,
    Rules,
    Set,
    Skip,
    Status,
    Step,
)

MS = 1_000_000
S = 1_000 * MS
M = 60_000
A, B, SLOW = "A_1m", "B_1m", "A_5m"


def rules(*sources: str, **changes: object) -> Rules:
    return Rules(sources or (A, B), 2 * S, **changes)  # type: ignore[arg-type]


def sets(answer: Answer) -> list[Set]:
    return [each for each in answer.events if isinstance(each, Set)]


def skips(answer: Answer) -> list[tuple[int, str, int]]:
    return [(e.timestamp, e.reason, e.sealed_at) for e in answer.events if isinstance(e, Skip)]


def statuses(answer: Answer) -> list[tuple[int, str, str]]:
    return [(e.at, e.source, e.status) for e in answer.events if isinstance(e, Status)]


def test_a_whole_set_goes_out_with_its_last_bar_and_a_bar_at_the_deadline_is_in_time() -> None:
    answer = Oracle(rules(), M).work_out([Arrived(0, A, M, 1), Arrived(2 * S, B, M, 2)], 9 * S)
    cells = {A: (1, "fresh", 0), B: (2, "fresh", 0)}
    assert answer.events == [Set(2 * S, M, "complete", cells, (A, B), (), 0, 2 * S)]
    assert answer.accepted == 2


def test_the_deadline_seals_what_is_there_and_a_bar_after_it_is_late() -> None:
    day = [Arrived(0, A, M, 1), Arrived(2 * S + 1, B, M, 2), Arrived(3 * S, B, M, 2)]
    answer = Oracle(rules(), M).work_out(day, 9 * S)
    assert answer.events == [
        Skip(2 * S, M, "incomplete", (A,), (B,), 0, 2 * S),
        Late(2 * S + 1, B, M, 2, 1, "dropped"),
    ]
    assert (answer.accepted, answer.late, answer.duplicate) == (1, 1, 1)


def test_a_later_bar_proves_that_none_comes_unless_the_feed_was_cut_or_is_unordered() -> None:
    def sealed_at(*cuts: Connection, **changes: object) -> int:
        feeds = {A: ("f",), B: ("g",)}
        day: list[Input] = [Arrived(1, A, M, 1, "f"), *cuts, Arrived(3, B, 2 * M, 2, "g")]
        oracle = Oracle(rules(require_all=False, feeds=feeds, **changes), 2 * M)
        return sets(oracle.work_out(day, 9 * S))[0].sealed_at

    assert sealed_at() == 3
    assert sealed_at(Connection(2, "g", up=False), Connection(2, "g", up=True)) == 3
    assert sealed_at(Connection(2, "g", up=False)) == 1 + 2 * S
    assert sealed_at(unordered=frozenset("g")) == 1 + 2 * S


def test_two_feeds_prove_together_and_only_on_their_present_connections() -> None:
    some = rules(A, B, require_all=False, feeds={A: ("f",), B: ("g", "h")})
    start: list[Input] = [Arrived(1, A, M, 1, "f"), Arrived(2, B, 2 * M, 2, "g")]
    cut: list[Input] = [Connection(3, "g", up=False), Connection(3, "g", up=True)]
    other: list[Input] = [Arrived(4, B, 2 * M, 2, "h"), Arrived(5, B, 2 * M, 2, "g")]
    assert sets(Oracle(some, 2 * M).work_out(start + other, 9 * S))[0].sealed_at == 4
    answer = Oracle(some, 2 * M).work_out(start + cut + other, 9 * S)
    assert sets(answer)[0].sealed_at == 5
    assert answer.duplicate == 2


def test_refused_bars() -> None:
    day = [
        Arrived(1, "C_1m", M, 1, "f"),
        Arrived(2, A, M + 1, 1, "f"),
        Arrived(3, A, 3 * M, 1, "f"),
        Arrived(4, A, M, 1, "f"),
        Arrived(5, A, M, 2, "g"),
    ]
    answer = Oracle(rules(feeds={A: ("f", "g"), B: ("f",)}), M).work_out(day, 0)
    reasons = [each.reason for each in answer.events if isinstance(each, Rejection)]
    assert reasons == ["unknown_source", "off_grid", "future", "conflict"]
    assert (answer.accepted, answer.conflicts) == (1, 1)
    in_time = Arrived(3, A, 3 * M, 1, "f")
    assert Oracle(rules(), 2 * M - 1_000).work_out([in_time], 4).accepted == 1


def test_a_slower_source_is_carried_between_its_closes() -> None:
    day = [Arrived(t, A, t * M, t) for t in range(4, 7)] + [Arrived(5, SLOW, 5 * M, 9)]
    day.append(Arrived(7, SLOW, 5 * M, 10))
    answer = Oracle(rules(A, SLOW), 6 * M).work_out(day, 8)
    assert [type(each) for each in answer.events] == [Skip, Set, Set, Late]
    assert skips(answer) == [(4 * M, "warmup", 4)]
    assert sets(answer)[1].cells == {A: (6, "fresh", 0), SLOW: (9, "carried", M)}


def test_five_minutes_among_threes_are_due_at_fifteen_only() -> None:
    three, five = "A_3m", "A_5m"
    day = [Arrived(1, five, 5 * M, 1), Arrived(2, five, 5 * M, 2), Arrived(3, three, 6 * M, 3)]
    day += [Arrived(4, three, 15 * M, 4)]
    answer = Oracle(rules(three, five), 15 * M).work_out(day, 3 * S)
    assert (answer.accepted, answer.corrected) == (3, 1)
    assert sets(answer)[0].cells == {three: (3, "fresh", 0), five: (2, "carried", M)}
    assert skips(answer) == [(15 * M, "incomplete", 2 * S + 4)]


def test_a_missing_cell_is_filled_unless_too_old() -> None:
    day = [Arrived(1, A, M, 1), Arrived(1, B, M, 2), Arrived(2, A, 2 * M, 3)]
    day.append(Arrived(3 * S, A, 3 * M, 4))
    answer = Oracle(rules(missing="last_known", max_age_ms=M), 3 * M).work_out(day, 9 * S)
    assert [each.status for each in sets(answer)] == ["complete", "filled"]
    assert sets(answer)[1].cells[B] == (2, "filled", M)
    assert sets(answer)[1].missing == (B,)
    assert skips(answer) == [(3 * M, "incomplete", 5 * S)]


def test_a_held_set_is_interpolated_or_falls_back() -> None:
    some = rules(missing="interpolate", hold_ns=5 * S)
    day = [Arrived(1, A, M, 1), Arrived(1, B, M, 2), Arrived(2, A, 2 * M, 3)]
    following = Arrived(7 * S + 2, B, 4 * M, 8)
    held = sets(Oracle(some, 4 * M).work_out([*day, following], 7 * S + 2))[1]
    assert (held.at, held.sealed_at) == (7 * S + 2, 2 * S + 2)
    assert held.cells[B] == (4.0, "interpolated", 0)
    alone = sets(Oracle(some, 4 * M).work_out(day, 9 * S))[1]
    assert (alone.at, alone.cells[B]) == (7 * S + 2, (2, "filled", M))


def test_a_late_bar_amends_and_follows_a_set_not_yet_out() -> None:
    day = [
        Arrived(0, A, M, 1),
        Arrived(1 * S, A, 2 * M, 2),
        Arrived(1 * S, B, 2 * M, 3),
        Arrived(1 * S + 5, B, 2 * M, 4),
        Arrived(3 * S, B, M, 5),
        Arrived(9 * S, B, M, 6),
    ]
    some = rules(feeds={A: ("f",), B: ("f",)}, late="amend", allowed_lateness_ns=3 * S)
    answer = Oracle(some, 2 * M).work_out(day, 9 * S)
    told = [(type(each), each.at) for each in answer.events]
    assert told == [
        (Late, 1 * S + 5),
        (Skip, 2 * S),
        (Set, 2 * S),
        (Set, 2 * S),
        (Late, 3 * S),
        (Set, 3 * S),
        (Late, 9 * S),
    ]
    revisions = [(each.timestamp, each.revision, each.cells[B][0]) for each in sets(answer)]
    assert revisions == [(2 * M, 0, 3), (2 * M, 1, 4), (M, 1, 5)]
    actions = [each.action for each in answer.events if isinstance(each, Late)]
    assert actions == ["amended", "amended", "dropped"]


def test_the_clock_opens_slots_and_the_first_bar_gives_more_time() -> None:
    some = rules(deadline_from="close", min_wait_ns=3 * S)
    day = [Arrived(121 * S, A, 2 * M, 1)]
    answer = Oracle(some).work_out(day, 200 * S)
    assert skips(answer) == [
        (M, "empty", 62 * S),
        (2 * M, "incomplete", 124 * S),
        (3 * M, "empty", 182 * S),
    ]
    opened = [each.opened_at for each in answer.events if isinstance(each, Skip)]
    assert opened == [60 * S, 120 * S, 180 * S]


def test_an_early_set_waits_for_the_clock_to_show_what_comes_before() -> None:
    some = rules(A, deadline_from="close")
    answer = Oracle(some).work_out([Arrived(1, A, 2 * M, 1)], 100 * S)
    assert [(type(each), each.at) for each in answer.events] == [(Skip, 60 * S), (Set, 60 * S)]
    assert sets(answer)[0].sealed_at == 1


def test_what_passed_in_sleep_is_suspended_and_the_step_moves_deadlines() -> None:
    some = rules(A, deadline_from="close")
    day: list[Input] = [
        Step(61 * S, 120_000, "resume"),
        Arrived(61 * S, A, 3 * M, 1),
        Step(149 * S, 100),
    ]
    answer = Oracle(some).work_out(day, 150 * S)
    assert answer.events[0] == ClockStep(61 * S, 120_000, "resume")
    assert skips(answer) == [
        (M, "empty", 61 * S),
        (2 * M, "suspended", 61 * S),
        (4 * M, "empty", 122 * S),
    ]
    assert [(each.timestamp, each.at) for each in sets(answer)] == [(3 * M, 61 * S)]


def test_a_source_turns_idle_is_waited_for_no_more_and_comes_back_with_a_bar() -> None:
    some = rules(require_all=False, idle_after=2, exclude_idle=True)
    day = [Arrived(t * 60 * S, A, t * M, 1) for t in (1, 2, 3, 4)]
    day += [Arrived(240 * S - 1, B, 4 * M, 2)]
    answer = Oracle(some).work_out(day, 300 * S)
    assert statuses(answer) == [(122 * S, B, "idle"), (240 * S - 1, B, "live")]
    assert [each.sealed_at for each in sets(answer)] == [62 * S, 122 * S, 180 * S, 240 * S]
    assert [each.status for each in sets(answer)] == ["partial", "partial", "complete", "complete"]


def test_a_source_is_down_while_no_feed_is_up_and_is_excluded_until_its_bar() -> None:
    some = rules(require_all=False, exclude_idle=True, feeds={A: ("f",), B: ("g", "h")})
    day: list[Input] = [
        Connection(1, "g", up=True),
        Arrived(2, A, M, 1, "f"),
        Connection(3, "g", up=False),
        Connection(4, "h", up=True),
        Arrived(5, A, 2 * M, 1, "f"),
    ]
    answer = Oracle(some, 2 * M).work_out(day, 6)
    assert statuses(answer) == [(3, B, "down"), (4, B, "live")]
    assert [(each.at, each.status) for each in sets(answer)] == [(3, "partial"), (5, "complete")]


def test_crowding_seals_the_oldest_and_the_end_all_in_order() -> None:
    day = [Arrived(3, A, 3 * M, 1), Arrived(4, A, 4 * M, 1), Arrived(5, A, 2 * M, 1)]
    some = rules(require_all=False, max_open=2, feeds={A: ("f",)}, unordered=frozenset("f"))
    answer = Oracle(some, 4 * M).work_out(day, 6, finish=True)
    assert [(e.timestamp, e.at) for e in sets(answer)] == [(2 * M, 5), (3 * M, 6), (4 * M, 6)]


def test_sessions_say_when_a_source_is_due() -> None:
    sessions = [(9 * M, 11 * M), (DAY + 9 * M, DAY + 10 * M)]
    some = rules("A_1m", "A_5m", "A_1d", "A_1w", sessions=dict.fromkeys(("A_5m", "A_1d"), sessions))
    due = Oracle(some).calendar.due
    assert due(5 * M) == {"A_1m"}
    assert due(10 * M) == {"A_1m", "A_5m"}
    assert due(11 * M) == {"A_1m", "A_1d"}
    assert due(15 * M) == {"A_1m", "A_5m"}
    assert due(4 * DAY) == {"A_1m", "A_1w"}
    weekly = rules("A_1w", sessions={"A_1w": sessions})
    assert Oracle(weekly).calendar.due(DAY + 10 * M) == {"A_1w"}
    assert Oracle(weekly).calendar.due(11 * M) == set()
