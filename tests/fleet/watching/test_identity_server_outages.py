"""Circuit breakers over renewals."""

from itertools import pairwise

import attrs

from stellantis_hal.fleet.targets import PollTarget, WatchedAccount
from stellantis_hal.fleet.watching.account_outages import AccountOutages
from stellantis_hal.fleet.watching.identity_server_outages import IdentityOutages
from stellantis_hal.transport.credentials import Anonymous

SERVER = "idp.example"


@attrs.define
class Renewable(Anonymous):
    """Credentials that renew nothing."""

    identity_server: str = SERVER
    replaced_at: float = float("-inf")

    is_renewing: bool = False

    async def is_renewal_due(self) -> bool:
        return True

    async def needs_renewal(self) -> bool:
        return True


class Fleet:
    """Accounts of one identity server, and the breakers over their renewals."""

    def __init__(self, accounts: int) -> None:
        self.gone: set[PollTarget] = set()
        self.outages = IdentityOutages(lambda target: target not in self.gone, AccountOutages(self.is_watched))
        self.accounts = [WatchedAccount(f"account:{number}", None, 60.0) for number in range(accounts)]
        self.credentials = [Renewable() for _ in self.accounts]
        for account, credentials in zip(self.accounts, self.credentials, strict=True):
            account.credentials = credentials

    def is_watched(self, name: str) -> bool:
        return any(account.name == name and account not in self.gone for account in self.accounts)

    def fail(self, number: int, now: float, *, hold: float | None = None) -> bool:
        """Poll as far as allowed, and fail; return whether an outage begins."""
        account = self.accounts[number]
        assert self.until(number, now) is None
        self.outages.begin_poll(account, account)
        return self.outages.failed(account, SERVER, now, hold=hold) is not None

    def until(self, number: int, now: float) -> float | None:
        return self.outages.held_until(self.accounts[number], self.accounts[number], now)

    def succeed(self, number: int, now: float, *, replaced: bool = True, read: bool = True) -> int:
        """Poll, and return how many outages are over."""
        account = self.accounts[number]
        self.outages.begin_poll(account, account)
        if replaced:
            self.credentials[number].replaced_at = now
        if read:
            self.outages.read(account)
        return len(self.outages.poll_ended(account, now))


def probes(fleet: Fleet, number: int, since: float, until: float) -> list[float]:
    """Fail each probe of an account, and return their instants."""
    found, now = list[float](), since
    while now < until:
        held = fleet.until(number, now)
        if held is None:
            fleet.fail(number, now)
            found.append(now)
        else:
            now = held
    return found


def test_probes_grow_to_four_minutes() -> None:
    fleet = Fleet(1)
    instants = probes(fleet, 0, 100.0, 2_000.0)
    assert [later - earlier for earlier, later in pairwise(instants)][:6] == [
        15,
        30,
        60,
        120,
        240,
        240,
    ]


def test_three_failed_renewals_are_an_outage_once() -> None:
    fleet = Fleet(5)
    assert [fleet.fail(number, 10.0 + number) for number in range(5)] == [False, False, True, False, False]
    assert fleet.outages.ages(110.0) == {SERVER: 100.0}


def test_polls_of_one_renewal_count_once() -> None:
    fleet = Fleet(1)
    account = fleet.accounts[0]
    found = [fleet.outages.failed(account, SERVER, 10.0, hold=None) for _ in range(10)]
    assert found == [None] * 10
    assert fleet.outages.ages(20.0) == {}


def test_one_account_probes_at_a_time_and_they_take_turns() -> None:
    fleet = Fleet(3)
    for number in range(3):
        fleet.fail(number, 10.0)
    assert [fleet.until(number, 20.0) for number in range(3)] == [25.0] * 3
    assert [fleet.until(number, 25.0) for number in range(3)] == [None, 40.0, 40.0]
    fleet.outages.begin_poll(fleet.accounts[0], fleet.accounts[0])
    assert fleet.until(1, 30.0) == 45.0
    assert fleet.outages.failed(fleet.accounts[0], SERVER, 31.0, hold=None) is None
    assert [fleet.until(number, 61.0) for number in range(3)] == [76.0, None, 76.0]


def test_an_account_with_nothing_due_does_not_hold_up_the_others() -> None:
    fleet = Fleet(2)
    fleet.fail(0, 10.0)
    fleet.fail(1, 10.0)
    assert fleet.until(1, 25.0) == 40.0
    assert fleet.until(1, 40.0) is None


def test_an_account_that_is_gone_has_no_turn() -> None:
    fleet = Fleet(2)
    fleet.fail(0, 10.0)
    fleet.fail(1, 10.0)
    fleet.gone.add(fleet.accounts[0])
    assert fleet.until(1, 25.0) is None
    assert fleet.accounts[0].identity_outage is None


def test_a_new_token_ends_the_outage_for_all() -> None:
    fleet = Fleet(4)
    for number in range(3):
        fleet.fail(number, 10.0)
    assert fleet.succeed(3, 20.0) == 1
    assert [fleet.until(number, 20.0) for number in range(4)] == [None] * 4
    assert fleet.outages.ages(20.0) == {}


def test_a_token_from_before_the_outage_does_not_end_it() -> None:
    fleet = Fleet(4)
    fleet.credentials[3].replaced_at = 5.0
    fleet.fail(0, 10.0)
    assert fleet.succeed(3, 20.0, replaced=False) == 0
    assert fleet.until(0, 20.0) == 25.0


def test_an_instant_of_another_event_loop_does_not_end_it() -> None:
    fleet = Fleet(2)
    fleet.fail(0, 10.0)
    fleet.credentials[1].replaced_at = 1e9
    assert fleet.succeed(1, 20.0, replaced=False) == 0


def test_an_account_that_fails_alone_waits_alone() -> None:
    fleet = Fleet(2)
    fleet.fail(0, 10.0)
    fleet.succeed(1, 20.0)
    assert [fleet.fail(0, 21.0), fleet.fail(0, 36.0), fleet.fail(0, 66.0)] == [False, False, True]
    assert fleet.outages.ages(70.0) == {}
    assert fleet.outages.outage_of(fleet.accounts[1]) is None
    assert fleet.succeed(0, 200.0) == 1
    assert fleet.accounts[0].identity_outage is None


def test_a_failure_after_a_success_is_the_servers() -> None:
    fleet = Fleet(3)
    fleet.fail(0, 10.0)
    fleet.succeed(1, 20.0)
    fleet.succeed(0, 30.0)
    assert [fleet.fail(number, 1_000.0) for number in range(3)] == [False, False, True]
    assert fleet.outages.ages(1_000.0) == {SERVER: 0.0}


def test_a_probe_that_reads_by_the_old_token_ends_its_own_wait() -> None:
    fleet = Fleet(2)
    fleet.fail(0, 10.0)
    fleet.fail(1, 10.0)
    assert fleet.until(0, 25.0) is None
    assert fleet.succeed(0, 25.0, replaced=False) == 0
    assert fleet.until(0, 25.0) is None
    assert fleet.until(1, 25.0) is None
    assert fleet.succeed(1, 26.0, replaced=False) == 1


def test_a_probe_that_shows_nothing_is_repeated() -> None:
    fleet = Fleet(1)
    fleet.fail(0, 10.0)
    assert fleet.succeed(0, 25.0, replaced=False, read=False) == 0
    assert fleet.until(0, 26.0) == 40.0


def test_a_success_that_began_before_the_failure_shows_nothing() -> None:
    fleet = Fleet(1)
    fleet.fail(0, 10.0)
    fleet.outages.read(fleet.accounts[0])
    assert fleet.outages.poll_ended(fleet.accounts[0], 11.0) == []
    assert fleet.until(0, 11.0) == 25.0


def test_the_servers_own_wait_is_respected_up_to_an_hour() -> None:
    for hold, until in ((600.0, 610.0), (1.0, 25.0), (1e6, 3_610.0)):
        fleet = Fleet(1)
        fleet.fail(0, 10.0, hold=hold)
        assert fleet.until(0, 11.0) == until


def test_a_definite_refusal_ends_the_outage_of_the_server() -> None:
    fleet = Fleet(3)
    for number in range(3):
        fleet.fail(number, 10.0)
    assert [outage.server for outage in fleet.outages.refused(fleet.accounts[0], 30.0)] == [SERVER]
    assert fleet.until(1, 30.0) is None
    assert fleet.outages.refused(fleet.accounts[0], 31.0) == []


def test_a_definite_refusal_of_an_account_alone_is_no_recovery() -> None:
    fleet = Fleet(2)
    fleet.fail(0, 10.0)
    fleet.succeed(1, 20.0)
    fleet.fail(0, 21.0)
    assert fleet.outages.refused(fleet.accounts[0], 30.0) == []
    assert fleet.accounts[0].identity_outage is None


def test_an_account_joins_the_outage_and_leaves_it() -> None:
    fleet = Fleet(2)
    fleet.fail(0, 10.0)
    outage = fleet.outages.outage_of(fleet.accounts[1])
    assert outage is not None
    fleet.outages.join(fleet.accounts[1], outage)
    assert fleet.outages.outage_of(fleet.accounts[1]) is None
    assert fleet.until(1, 11.0) == 25.0
    fleet.outages.leave(fleet.accounts[1])
    fleet.outages.begin_poll(fleet.accounts[0], fleet.accounts[0])
    fleet.outages.leave(fleet.accounts[0])
    assert fleet.outages.outage_of(fleet.accounts[1]) is None


def test_a_reported_outage_outlives_its_last_account() -> None:
    fleet = Fleet(2)
    probes(fleet, 0, 10.0, 100.0)
    fleet.outages.leave(fleet.accounts[0])
    assert fleet.outages.ages(110.0) == {SERVER: 100.0}
    assert fleet.succeed(1, 120.0) == 1


def test_credentials_without_a_renewal_recover_by_a_probe() -> None:
    """An error of other credentials may name an identity server."""
    fleet = Fleet(1)
    fleet.accounts[0].credentials = None
    fleet.fail(0, 10.0)
    assert fleet.outages.outage_of(fleet.accounts[0]) is None
    assert fleet.succeed(0, 25.0, replaced=False) == 1
    assert fleet.until(0, 26.0) is None
