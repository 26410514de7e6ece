"""Exchanges at a ledger that processes share: what is granted, and when."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.shared_ledger import (
    DAY,
    HOLD,
    LAPSE,
    MINUTE,
    SECOND,
    SHARING,
    WAITING,
    LedgerReply,
    LedgerRequest,
    ScheduledTokenReturn,
    SharedLedger,
)
from tests.support.ledger_exchanges import RECORDED
from tests.support.profiles import few_examples, scenario
from tests.support.shared_processes import Scene

START = 1_000 * MINUTE


class Desk:
    """A ledger, with the numbers that processes have to count."""

    def __init__(self, **limits: Any) -> None:
        self.ledger = SharedLedger()
        self.limits = limits
        self.now = START
        self.numbers: dict[str, int] = {}
        self.epochs: dict[str, str] = {}
        self.known: dict[str, int] = {}
        self.latest: LedgerReply = LedgerReply()

    def take(self, process: str, *, confirm: bool = True, **values: Any) -> LedgerReply:
        self.numbers[process] = self.numbers.get(process, 0) + 1
        exchange = LedgerRequest(
            process=process,
            number=self.numbers[process],
            known=self.known.get(process, 0),
            epoch=self.epochs.get(process, ""),
            **self.limits,
        )
        exchange = attrs.evolve(exchange, **values)
        self.latest = reply = self.ledger.take(exchange, self.now)
        if confirm and reply.status == "ok":
            self.epochs[process] = reply.epoch
            self.known[process] = self.known.get(process, 0) + len(reply.delays)
        return reply

    def open(self, *processes: str) -> None:
        """Introduce processes, and let the window pass that a new ledger waits."""
        for process in processes:
            self.take(process)
        self.now += SECOND


def test_new_ledger_waits_for_one_window() -> None:
    desk = Desk(per_second=10)
    reply = desk.take("a", interactive=3)
    assert (reply.interactive, reply.paused_for) == (0, SECOND)
    desk.now += SECOND
    assert desk.take("a", interactive=3).delays == (0, 0, 0)


def test_token_returns_at_the_instant_of_its_answer() -> None:
    desk = Desk(per_second=10, share=0)
    desk.open("a")
    assert desk.take("a", interactive=11).interactive == 10
    reply = desk.take("a", interactive=1, answered=(ScheduledTokenReturn(1, -1, 400_000),))
    assert (reply.interactive, reply.again_in) == (0, 250_000)
    desk.now += 350_000
    assert desk.take("a", interactive=1).delays == (50_000,)


@pytest.mark.parametrize(("returns_in", "delays"), [(100_000, (100_000,)), (100_001, ())])
def test_token_is_granted_up_to_the_look_ahead(returns_in: int, delays: tuple[int, ...]) -> None:
    desk = Desk(per_second=10, share=0)
    desk.open("a")
    desk.take("a", interactive=10)
    assert desk.take("a", interactive=1, answered=(ScheduledTokenReturn(1, -1, returns_in),)).delays == delays


@pytest.mark.parametrize(("pause", "delays"), [(100_000, (100_000,)), (100_001, ())])
def test_pause_is_waited_for_up_to_the_look_ahead(pause: int, delays: tuple[int, ...]) -> None:
    desk = Desk(per_second=10, share=0)
    desk.open("a")
    assert desk.take("a", interactive=1, pause=pause).delays == delays


@pytest.mark.parametrize(("before", "is_listed"), [(2 * SECOND + 1, False), (2 * SECOND, True), (1, True), (0, False)])
def test_returning_tokens_are_told_by_the_clock_of_now(before: int, *, is_listed: bool) -> None:
    """Those of the next two windows; the clock shows less than the one before."""
    desk = Desk(per_second=10)
    desk.open("a")
    desk.take("a", interactive=1)
    desk.take("a", answered=(ScheduledTokenReturn(1, -1, 700_000),))
    desk.ledger.change_clock(5 * SECOND, elapsed=100_000)
    at = 5 * SECOND + 600_000
    assert desk.ledger.returning(at - before) == ([(1, at)] if is_listed else [])


def test_smallest_round_trip_of_all_is_subtracted() -> None:
    """While one process does not know its own, nothing is."""
    desk = Desk(per_second=1, share=0)
    desk.open("a", "b")
    desk.take("a", interactive=1, round_trip=30_000)
    desk.take("a", answered=(ScheduledTokenReturn(1, -1, 90_000),), round_trip=30_000)
    assert desk.take("a", interactive=1, round_trip=30_000).delays == (90_000,)
    desk.take("a", given_back=((2, desk.latest.minute),), round_trip=30_000)
    desk.take("a", answered=(ScheduledTokenReturn(1, -1, 90_000),), round_trip=30_000)
    desk.take("b", round_trip=20_000)
    assert desk.take("a", interactive=1, round_trip=30_000).delays == (70_000,)


def test_day_is_free_again_a_day_after_its_first_request() -> None:
    desk = Desk(per_day=2, share=0)
    desk.open("a")
    first = START // MINUTE
    assert desk.take("a", interactive=1).interactive == 1
    desk.now += 2 * MINUTE
    desk.take("a")
    desk.now += SECOND
    assert desk.take("a", interactive=1).interactive == 1
    reply = desk.take("a", interactive=1)
    assert (reply.is_day, reply.blocked_for) == (True, (first + DAY) * MINUTE - desk.now)


def test_process_asks_again_when_tokens_of_others_return() -> None:
    """Three of them are used by others than these processes, as the headers state."""
    desk = Desk(per_second=10, share=0)
    desk.open("a")
    desk.take("a", interactive=10)
    desk.take("a", burst_limit=10, burst_remaining=0, burst_returned=3)
    desk.now += 800_000
    assert desk.take("a", interactive=1).again_in == 200_000 - 50_000


@pytest.mark.parametrize(
    ("own", "others", "delays"),
    [
        ((20_000, 80_000), 50_000, (20_000, 50_000, 80_000)),
        ((60_000, 80_000), 50_000, (50_000, 60_000, 80_000)),
        ((20_000, 80_000), 90_000, (20_000, 80_000, 90_000)),
    ],
    ids=["between", "before", "after"],
)
def test_tokens_of_others_return_among_own_ones(own: tuple[int, int], others: int, delays: tuple[int, ...]) -> None:
    desk = Desk(per_second=3, share=0)
    desk.open("a")
    desk.take("a", interactive=2)
    desk.take("a", burst_limit=3, burst_remaining=0)
    desk.now += SECOND - others
    answered = tuple(ScheduledTokenReturn(number, -1, at) for number, at in enumerate(own, start=1))
    assert desk.take("a", interactive=3, answered=answered).delays == delays


@pytest.mark.parametrize(
    ("per_second", "returns_in", "again_in"),
    [(7, 60_000, 50_000), (3, 200_001, 100_000), (4, 60_000, 62_500), (3, 100_000, 83_333)],
    ids=["the least", "half the delay", "a quarter of the look-ahead", "rounded"],
)
def test_process_asks_again_soon_where_no_token_returns(per_second: int, returns_in: int, again_in: int) -> None:
    """The first of two requests is granted, the second one is not."""
    desk = Desk(per_second=per_second, share=0)
    desk.open("a")
    desk.take("a", interactive=per_second)
    reply = desk.take("a", interactive=2, answered=(ScheduledTokenReturn(1, -1, returns_in),))
    assert (reply.delays, reply.again_in) == ((returns_in,), again_in)


def test_process_above_its_share_asks_for_the_next_token() -> None:
    """What background requests may not use counts for none of its interactive ones."""
    desk = Desk(per_second=4, share=500_000)
    desk.open("a", "b")
    desk.take("a", interactive=3)
    desk.take("b", interactive=5)
    reply = desk.take("a", interactive=3, given_back=((1, desk.latest.minute),))
    assert (reply.interactive, reply.free, reply.again_in) == (0, 1, 62_500)


@pytest.mark.parametrize(("returns_in", "free"), [(30_000, 4), (30_001, 0)])
def test_token_is_free_one_round_trip_before_its_return(returns_in: int, free: int) -> None:
    """It is then left to those who wait, and counts no longer for who had it."""
    desk = Desk(per_second=4, share=0, round_trip=30_000)
    desk.open("a", "b", "c")
    desk.take("c", interactive=4)
    desk.take("a", interactive=4)
    reply = desk.take("c", answered=tuple(ScheduledTokenReturn(number, -1, returns_in) for number in range(1, 5)))
    assert reply.free == free
    assert desk.take("b", interactive=4).interactive == free // 2


def test_process_waits_for_a_while_after_it_asked() -> None:
    desk = Desk(per_second=9, share=0)
    desk.open("a", "b", "c")
    desk.take("a", interactive=9)
    desk.take("a", answered=tuple(ScheduledTokenReturn(number, -1, 250_000) for number in range(1, 10)))
    desk.take("b", interactive=9)
    desk.now += 100_000
    desk.take("c", interactive=1, background=1)
    desk.now += WAITING - 100_000
    reply = desk.take("a", interactive=9)
    assert (reply.interactive, reply.ahead, reply.waiting) == (5, 2, 2)


@pytest.mark.parametrize(("passed", "is_free"), [(HOLD + 99_999, False), (HOLD + 100_000, True)])
def test_delayed_token_stays_away_from_its_request_on(passed: int, *, is_free: bool) -> None:
    desk = Desk(per_second=10)
    desk.open("a")
    assert desk.take("a", interactive=1, pause=100_000).delays == (100_000,)
    desk.now += passed
    assert desk.take("a").free == (10 if is_free else 9)


@pytest.mark.parametrize(("passed", "expected"), [(LAPSE - 1, (8, 500, 100)), (LAPSE, (10, 1_000, 1_000))])
def test_statements_of_headers_lapse(passed: int, expected: tuple[int, int, int]) -> None:
    desk = Desk(per_second=10, per_day=1_000)
    desk.open("a")
    desk.take("a", burst_limit=8, day_limit=500, day_remaining=100)
    desk.now += passed
    reply = desk.take("a")
    assert (reply.per_second, reply.per_day, reply.day_free) == expected


def test_least_limits_of_headers_are_believed() -> None:
    desk = Desk(per_second=10, per_day=1_000)
    desk.open("a")
    reply = desk.take("a", burst_limit=1, burst_remaining=0, day_limit=1, day_remaining=0)
    assert (reply.per_second, reply.per_day, reply.free, reply.day_free) == (1, 1, 0, 0)


@pytest.mark.parametrize(("passed", "sharers"), [(SHARING - 1, 2), (SHARING, 1)])
def test_users_of_background_requests_are_counted_for_a_while(passed: int, sharers: int) -> None:
    desk = Desk(per_second=10)
    desk.open("a", "b")
    desk.take("a", background=1)
    desk.now += passed
    desk.take("a")
    assert desk.take("b", epoch="").sharers == sharers


def test_first_minute_is_a_minute_like_others() -> None:
    desk = Desk(per_second=10, per_day=100)
    desk.now = 0
    desk.open("a")
    assert desk.take("a", interactive=1).minute == 0
    desk.now += MINUTE
    reply = desk.take("a", epoch="", former=desk.latest.epoch, answered=(ScheduledTokenReturn(1, 0, SECOND),))
    assert sorted(reply.minutes) == [(0, 1), (1, 0)]


def test_day_that_is_all_reserved_is_free_a_day_later() -> None:
    desk = Desk(per_day=10, share=1_000_000)
    desk.open("a")
    reply = desk.take("a", background=1)
    assert (reply.is_day, reply.blocked_for) == (True, (START // MINUTE + DAY) * MINUTE - desk.now)


def test_day_returns_with_its_first_request_that_was_used() -> None:
    desk = Desk(per_day=1, share=0)
    desk.open("a")
    minute = desk.take("a", interactive=1).minute
    desk.now += MINUTE
    desk.take("a", given_back=((1, minute),))
    desk.now += SECOND
    assert desk.take("a", interactive=1).interactive == 1
    assert desk.take("a", interactive=1).blocked_for == (minute + 1 + DAY) * MINUTE - desk.now


def test_background_requests_leave_a_share() -> None:
    desk = Desk(per_second=10, per_day=100)
    desk.open("a")
    assert desk.take("a", background=20).background == 9
    assert desk.take("a", interactive=5).interactive == 1


def test_background_waits_for_interactive_elsewhere() -> None:
    desk = Desk(per_second=4, share=0)
    desk.open("a", "b")
    assert desk.take("a", interactive=5).interactive == 4
    desk.take("a", given_back=((1, desk.latest.minute),), interactive=0)
    desk.take("b", interactive=3)
    desk.take("a", given_back=((2, desk.latest.minute),))
    assert desk.take("a", background=1).background == 0


def test_waiting_processes_share_alike() -> None:
    desk = Desk(per_second=10, share=0)
    desk.open("a", "b")
    assert desk.take("a", interactive=20).interactive == 10
    desk.take("b", interactive=20)
    reply = desk.take("a", interactive=20, given_back=tuple((number, desk.latest.minute) for number in range(1, 11)))
    assert reply.interactive == 5
    assert desk.take("b", interactive=20).interactive == 5


def test_pause_holds_for_all_processes() -> None:
    desk = Desk(per_second=10)
    desk.open("a", "b")
    desk.take("a", pause=5 * SECOND)
    reply = desk.take("b", interactive=1)
    assert (reply.interactive, reply.paused_for, reply.blocked_for) == (0, 5 * SECOND, 5 * SECOND)


def test_lost_reply_gives_its_grants_back() -> None:
    desk = Desk(per_second=4, per_day=10, share=0)
    desk.open("a")
    assert desk.take("a", confirm=False, interactive=4).interactive == 4
    reply = desk.take("a", interactive=4)
    assert (reply.interactive, reply.day_free) == (4, 6)


def test_outdated_turn_changes_nothing() -> None:
    desk = Desk(per_second=4, share=0)
    desk.open("a")
    desk.take("a", interactive=1)
    assert desk.take("a", number=1, interactive=3).status == "outdated"
    desk.numbers["a"] += 1
    assert desk.take("a", interactive=3).interactive == 3


def test_dead_process_returns_its_tokens_a_window_later() -> None:
    desk = Desk(per_second=2, share=0)
    desk.open("a", "b")
    assert desk.take("a", interactive=2).interactive == 2
    for _ in range(4):
        desk.now += SECOND - 1
        assert desk.take("b", interactive=1).interactive == 0
    desk.now += SECOND
    assert desk.take("b", interactive=1).interactive == 1
    assert desk.take("a", interactive=1).status == "introduce"


def test_silent_holder_that_lives_keeps_its_tokens() -> None:
    desk = Desk(per_second=1, share=0)
    desk.open("a", "b")
    desk.take("a", interactive=1)
    for _ in range(HOLD // SECOND):
        desk.now += SECOND
        desk.take("a")
        assert desk.take("b", interactive=1).interactive == 0 or desk.now - START >= HOLD


def test_leaving_process_returns_its_tokens_a_window_later() -> None:
    desk = Desk(per_second=10, share=0)
    desk.open("a", "b")
    assert desk.take("a", interactive=10).processes == 2
    assert desk.take("a", leaving=True).processes == 2
    reply = desk.take("b", interactive=10)
    assert (reply.interactive, reply.processes) == (0, 1)
    desk.now += SECOND
    assert desk.take("b", interactive=10).delays == (0,) * 10


def test_clean_start_after_all_left_waits_for_nothing() -> None:
    desk = Desk(per_second=1, share=0)
    desk.open("a")
    desk.take("a", leaving=True)
    desk.now += 100 * SECOND
    desk.epochs.clear()
    assert desk.take("c", interactive=1).interactive == 1


def test_silence_of_living_processes_waits_for_one_window() -> None:
    desk = Desk(per_second=1, share=0)
    desk.open("a")
    desk.now += 2 * SECOND
    assert desk.take("a", interactive=1).paused_for == SECOND


def test_smallest_limits_of_all_processes_count() -> None:
    desk = Desk()
    desk.take("a", per_second=10, per_day=100)
    desk.take("b", per_second=5, per_day=200)
    desk.now += SECOND
    reply = desk.take("a", per_second=10, per_day=100, share=0, interactive=10)
    assert (reply.interactive, reply.agreed_per_second, reply.agreed_per_day) == (5, 5, 100)


def test_headers_lower_limits_and_count_others() -> None:
    desk = Desk(per_second=10, per_day=1_000, share=0)
    desk.open("a")
    reply = desk.take("a", burst_limit=8, burst_remaining=3, day_limit=500, day_remaining=100, interactive=9)
    assert (reply.interactive, reply.per_second, reply.per_day, reply.day_free) == (3, 8, 500, 97)
    desk.now += SECOND
    assert desk.take("a", interactive=9).interactive == 5
    desk.now += 900 * SECOND
    desk.epochs.clear()
    desk.take("a")
    desk.now += SECOND
    reply = desk.take("a", interactive=1)
    assert (reply.per_second, reply.per_day, reply.day_free) == (10, 1_000, 991)


def test_others_return_within_the_look_ahead() -> None:
    desk = Desk(per_second=4, share=0)
    desk.open("a")
    desk.take("a", burst_limit=4, burst_remaining=1)
    desk.now += 950_000
    desk.take("a", interactive=1)
    assert desk.take("a", interactive=3).delays == (50_000,) * 3
    desk.take("a", answered=(ScheduledTokenReturn(1, -1, 20_000),))
    desk.take("a", answered=(ScheduledTokenReturn(2, -1, 70_000),), burst_limit=4, burst_remaining=1, burst_returned=0)
    assert desk.take("a", interactive=1).delays == (20_000,)


def test_held_tokens_are_not_awaited_beside_those_of_others() -> None:
    desk = Desk(per_second=4, share=0)
    desk.open("a")
    desk.take("a", interactive=2)
    desk.take("a", burst_limit=4, burst_remaining=1)
    desk.now += 950_000
    assert desk.take("a", interactive=3).delays == (0, 50_000)


def test_token_that_returns_early_goes_to_who_has_less() -> None:
    """A token within the smallest round trip of its return counts for neither process."""
    desk = Desk(per_second=4, share=0, round_trip=30_000)
    desk.open("a", "b")
    assert desk.take("a", interactive=4).interactive == 4
    assert desk.take("b", interactive=1).interactive == 0
    assert desk.take("a", answered=(ScheduledTokenReturn(1, -1, 20_000),), interactive=1).interactive == 0
    assert desk.take("b", interactive=1).delays == (0,)


def test_day_that_others_used_up_is_blocked_for_a_lapse() -> None:
    desk = Desk(per_second=4, per_day=10, share=0)
    desk.open("a")
    reply = desk.take("a", day_limit=10, day_remaining=0, interactive=1)
    assert (reply.interactive, reply.is_day, reply.blocked_for) == (0, True, LAPSE)


def test_wrong_limit_of_the_day_is_not_believed() -> None:
    desk = Desk(per_second=100, per_day=1_000, share=0)
    desk.open("a")
    desk.take("a", interactive=50)
    desk.now += 2 * SECOND
    reply = desk.take("a", answered=tuple(ScheduledTokenReturn(number, -1, 0) for number in range(1, 51)), day_limit=10)
    desk.now += SECOND
    assert (reply.status, desk.take("a", day_limit=10, day_remaining=0, interactive=1).per_day) == ("ok", 1_000)


def test_day_ends_and_returns_after_a_day() -> None:
    desk = Desk(per_second=10, per_day=3, share=0)
    desk.open("a")
    assert desk.take("a", interactive=3).interactive == 3
    reply = desk.take("a", interactive=1)
    assert (reply.interactive, reply.is_day, reply.again_in) == (0, True, 5 * SECOND)
    assert reply.blocked_for == (START // MINUTE + DAY) * MINUTE - desk.now
    desk.now += reply.blocked_for
    desk.epochs.clear()
    desk.take("a")
    desk.now += SECOND
    assert desk.take("a", interactive=1).interactive == 1


def test_unused_day_returns_where_it_was_booked() -> None:
    """A request that is answered in a later minute counts in that minute: the server may have counted it then."""
    desk = Desk(per_second=10, per_day=100)
    desk.open("a")
    minute = desk.take("a", interactive=2).minute
    desk.now += MINUTE
    desk.epochs.clear()
    reply = desk.take("a", answered=(ScheduledTokenReturn(1, minute, 0),), given_back=((2, minute),))
    assert sorted(pair for pair in reply.minutes if pair[1]) == [(0, 1)]
    assert desk.take("a", given_back=((7, minute),), answered=(ScheduledTokenReturn(9, minute, 0),)).day_free == 99


def test_lost_state_is_restored_from_what_a_process_knows() -> None:
    desk = Desk(per_second=10, per_day=100)
    desk.open("a", "b")
    for age, count in ((5, 20), (0, 3)):
        desk.take("a", epoch="", former="gone", minutes=((age, count), (DAY, 9)))
    assert desk.latest.day_free == 77
    desk.take("b", epoch="", former="gone", minutes=((5, 19), (0, 4)))
    assert desk.latest.day_free == 76
    desk.take("b", epoch="", former=desk.latest.epoch, minutes=((5, 99),))
    assert desk.latest.day_free == 76


def test_use_in_an_outage_is_booked_once() -> None:
    desk = Desk(per_second=10, per_day=100)
    desk.open("a")
    for _ in range(2):
        desk.take(
            "a",
            epoch="",
            outage=1,
            used=((2, 10), (DAY, 1)),
            held=(7,),
            answered=(ScheduledTokenReturn(8, -1, SECOND),),
        )
    assert (desk.latest.day_free, desk.latest.free) == (90, 8)
    for _ in range(2):
        desk.take("a", epoch="", outage=2, used=((0, 5),))
        desk.take("a")  # an exchange that states no outage changes nothing of this
        assert desk.latest.day_free == 85


def test_state_that_was_set_back_is_a_loss() -> None:
    desk = Desk(per_second=10)
    desk.open("a")
    former = SharedLedger(desk.ledger.dump())
    epoch = desk.take("a").epoch
    desk.ledger = former
    reply = desk.take("a", witnessed=desk.latest.count)
    assert (reply.status, reply.epoch == epoch) == ("introduce", False)


def test_clock_set_back_goes_on() -> None:
    desk = Desk(per_second=1, share=0)
    desk.open("a")
    desk.take("a", interactive=1, round_trip=0)
    desk.take("a", answered=(ScheduledTokenReturn(1, -1, SECOND),))
    desk.now -= 300 * SECOND
    desk.take("a")
    desk.now += 950_000
    assert desk.take("a", interactive=1).delays == (50_000,)


def test_clock_set_ahead_waits_for_one_window() -> None:
    desk = Desk(per_second=1, share=0)
    desk.open("a")
    desk.take("a", interactive=1)
    desk.now += 300 * SECOND
    desk.epochs.clear()
    assert desk.take("a", interactive=1).paused_for == SECOND


def test_state_survives_being_written_down() -> None:
    desk = Desk(per_second=10, per_day=50, share=0)
    desk.open("a", "b")
    desk.take("a", interactive=8)
    minutes = {desk.latest.minute: 8}
    desk.ledger = SharedLedger(desk.ledger.dump(), minutes)
    desk.take("a", given_back=((8, desk.latest.minute),))
    reply = desk.take("b", interactive=5)
    assert (reply.interactive, reply.day_free, minutes[reply.minute]) == (3, 40, 10)
    desk.ledger.change_clock(5, elapsed=2 * SECOND)
    desk.now = 5
    assert desk.take("b").paused_for == SECOND


def test_share_of_processes_that_are_missing_is_kept_for_a_while() -> None:
    """After an outage they may still use it."""
    desk = Desk(per_second=10, share=0, processes=4)
    desk.open("a", "b")
    assert desk.take("a", interactive=10).interactive == 6
    desk.take("c")
    assert desk.take("a", interactive=10).interactive == 2
    desk.now += SECOND
    desk.take("a")
    desk.now += SECOND
    desk.take("b")
    assert desk.take("a", interactive=10).interactive == 2


@pytest.mark.parametrize("play", RECORDED)
def test_recorded_exchanges_have_the_same_replies(play: str) -> None:
    """The script in Redis returns the same ones: tests/conformance/test_redis_exchanges.py asks it."""
    ledger = SharedLedger()
    for number, (clock, exchange, reply) in enumerate(RECORDED[play]):
        assert ledger.take(exchange, clock) == reply, (number, exchange)


@pytest.mark.unmeasured
@pytest.mark.parametrize("delays", [(0.015, 0.035), scenario((0.025, 0.025)), scenario((0.005, 0.045))])
@few_examples()
@given(seed=st.integers(0, 2**32), load=st.sampled_from(["even", "uneven"]))
def test_processes_are_never_refused(delays: tuple[float, float], seed: int, load: str) -> None:
    ledger = SharedLedger()
    scene = Scene(ledger.take, seed=seed, delays=delays)
    for index, player in enumerate(scene.players):
        player.wants = 30 if load == "even" or index == 0 else scene.random.choice([0, 1])
    for _ in scene.run(4.0):
        event, player = scene.random.random(), scene.random.choice(scene.players)
        if event < 0.0003:
            player.is_dead = True
        elif event < 0.001 and not player.is_dead:
            player.book.change_ledger(is_shared=True)
    assert scene.server.refused == 0
    if not any(player.is_dead for player in scene.players):
        assert scene.server.served > 40


@pytest.mark.unmeasured
def test_window_is_used_well() -> None:
    scene = Scene(SharedLedger().take, seed=1)
    for player in scene.players:
        player.wants = 30
    for _ in scene.run(11.0):
        pass
    assert scene.server.refused == 0
    assert scene.server.served > 0.93 * 20 * 10


@pytest.mark.unmeasured
def test_day_limit_is_exact_over_lost_replies() -> None:
    ledger = SharedLedger()

    def take(exchange: LedgerRequest, clock: int) -> LedgerReply | None:
        reply = ledger.take(exchange, clock)
        return None if scene.random.random() < 0.2 else reply

    scene = Scene(take, seed=3, limits=RateLimits(20, 60), server_limit=20)
    for player in scene.players:
        player.wants = 30
    for _ in scene.run(12.0):
        pass
    assert (scene.server.refused, scene.sent) == (0, 60)
