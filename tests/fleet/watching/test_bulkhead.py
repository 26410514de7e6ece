"""Bounds on the polls that wait for identity servers."""

from typing import Any

import attrs
import pytest

from stellantis_hal.fleet.targets import PollTarget, WatchedAccount
from stellantis_hal.fleet.watching.bulkhead import Bulkhead
from stellantis_hal.transport.credentials import Anonymous, RenewableCredentials

pytestmark = pytest.mark.anyio


@attrs.define(eq=False)
class Renewable(Anonymous):
    """Credentials whose state a test sets."""

    identity_server: str = "idp.example"
    replaced_at: float = float("-inf")
    is_renewing: bool = False
    is_due: bool = False

    async def is_renewal_due(self) -> bool:
        return self.is_due

    async def needs_renewal(self) -> bool:
        return self.is_due


class Polls:
    """An account of a test, its credentials, and the targets that it polls."""

    def __init__(self, **state: Any) -> None:
        self.account = WatchedAccount("account:1", None, 60.0)
        self.account.credentials = self.credentials = Renewable(**state)
        self.targets = [WatchedAccount(f"target:{number}", None, 60.0) for number in range(8)]

    async def start(self, bulkhead: Bulkhead, number: int = 0) -> bool:
        bulkhead.enter(self.account)
        return await bulkhead.admit(self.targets[number], self.account)

    def end(self, bulkhead: Bulkhead, number: int = 0) -> list[PollTarget]:
        return bulkhead.leave(self.targets[number], self.account)


def test_renewable_credentials_say_whether_they_renew() -> None:
    assert isinstance(Renewable(), RenewableCredentials)


async def test_polls_with_a_living_token_take_every_place() -> None:
    bulkhead, polls = Bulkhead(4), Polls()
    started = [(await polls.start(bulkhead, number), bulkhead.has_place()) for number in range(4)]
    assert started == [(True, True)] * 3 + [(True, False)]
    assert polls.end(bulkhead) == []
    assert bulkhead.has_place()


async def test_one_poll_of_an_account_renews_and_the_others_wait() -> None:
    bulkhead, polls = Bulkhead(64), Polls(is_due=True)
    assert [await polls.start(bulkhead, number) for number in range(3)] == [True, False, False]
    assert [polls.end(bulkhead, number) for number in (1, 2)] == [[], []]
    assert not await polls.start(bulkhead, 1)
    assert polls.end(bulkhead, 1) == []
    polls.credentials.is_due = False
    assert polls.end(bulkhead) == [polls.targets[2], polls.targets[1]]
    assert [await polls.start(bulkhead, number) for number in (1, 2)] == [True, True]


async def test_an_eighth_of_the_places_renew_at_one_server() -> None:
    bulkhead = Bulkhead(16)
    silent = [Polls(is_due=True) for _ in range(5)]
    other = Polls(identity_server="other.example", is_due=True)
    assert [await polls.start(bulkhead) for polls in silent] == [True, True, False, False, False]
    assert await other.start(bulkhead)
    assert [polls.end(bulkhead) for polls in silent[2:]] == [[], [], []]
    assert silent[0].end(bulkhead) == silent[2].targets[:1]
    assert await silent[2].start(bulkhead)
    assert silent[1].end(bulkhead) == silent[3].targets[:1]


async def test_a_target_that_was_looked_at_again_waits_no_more() -> None:
    bulkhead, first, second = Bulkhead(8), Polls(is_due=True), Polls(is_due=True)
    assert [await first.start(bulkhead), await second.start(bulkhead)] == [True, False]
    assert second.end(bulkhead) == []
    second.credentials.is_due = False
    assert await second.start(bulkhead)
    assert second.end(bulkhead) == []
    assert first.end(bulkhead) == []


async def test_a_small_watch_has_one_renewal_at_each_server() -> None:
    bulkhead = Bulkhead(1)
    assert await Polls(is_due=True).start(bulkhead)
    assert not await Polls(is_due=True).start(bulkhead)


async def test_unexpected_renewals_take_no_place() -> None:
    """The API has refused tokens that looked good: the polls that wait for new ones are not counted."""
    bulkhead, refused, late = Bulkhead(4), [Polls() for _ in range(4)], Polls()
    assert [await polls.start(bulkhead) for polls in refused] == [True] * 4
    assert not bulkhead.has_place()
    for polls in refused:
        polls.credentials.is_renewing = True
    assert bulkhead.has_place()
    assert bulkhead.is_held(refused[0].account)
    assert not await late.start(bulkhead)
    assert late.end(bulkhead) == []
    assert await Polls(identity_server="other.example").start(bulkhead)
    free = WatchedAccount("vehicle:1", None, 60.0)
    assert not bulkhead.is_held(free)
    bulkhead.enter(free)
    assert await bulkhead.admit(free, free)
    assert bulkhead.leave(free, free) == []
    for polls in refused:
        polls.credentials.is_renewing = False
    assert refused[0].end(bulkhead) == late.targets[:1]


async def test_a_renewal_by_another_task_is_awaited() -> None:
    bulkhead, polls = Bulkhead(8), Polls(is_due=True)
    assert await polls.start(bulkhead)
    polls.credentials.is_renewing = True
    assert not await polls.start(bulkhead, 1)
    assert polls.end(bulkhead, 1) == []
    assert polls.end(bulkhead) == []
    polls.credentials.is_renewing = False
    assert await polls.start(bulkhead, 2)
    assert polls.end(bulkhead, 2) == [polls.targets[1]]


async def test_a_renewal_that_begins_while_the_store_is_read() -> None:
    class Slow(Renewable):
        async def is_renewal_due(self) -> bool:
            self.is_renewing = True
            return True

    bulkhead, polls = Bulkhead(64), Polls()
    polls.account.credentials = polls.credentials = Slow()
    assert not await polls.start(bulkhead)
    assert polls.end(bulkhead) == []
