"""What is reported of accounts that a server fails for."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet.watching.account_outages import AccountOutage, AccountOutages

SERVER = "api.example"


class Accounts:
    """Accounts by number, and the outages that were reported of them and ended."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.reports = AccountOutages(lambda name: name not in self.gone)
        self.begun: list[AccountOutage] = []
        self.over: list[AccountOutage] = []

    def fail(self, number: int, *, since: float = 0.0, is_due: bool = True, server: str | None = SERVER) -> None:
        name = f"account:{number}"
        outage = self.reports.failed(name, server, since, key=str(number), is_due=is_due)
        if outage is not None:
            self.begun.append(outage)

    def end(self, number: int) -> None:
        self.over += self.reports.ended(f"account:{number}")


@pytest.mark.unmeasured
def test_a_thousand_accounts_that_fail_together_are_one_outage() -> None:
    accounts = Accounts()
    for is_due in (False, True, True):
        for number in range(1_000):
            accounts.fail(number, since=10.0 + number, is_due=is_due)
    assert accounts.begun == [AccountOutage(server=SERVER, account=None, since=10.0, accounts=1_000)]
    assert accounts.reports.of_several == {SERVER: accounts.begun[0]}
    for number in range(1_000):
        accounts.end(number)
    assert accounts.over == accounts.begun
    assert accounts.reports.of_several == {}


def test_one_or_two_accounts_are_reported_by_their_keys() -> None:
    accounts = Accounts()
    for number in (0, 1, 0, 1):
        accounts.fail(number, since=float(number))
    assert accounts.begun == [
        AccountOutage(server=SERVER, account="0", since=0.0),
        AccountOutage(server=SERVER, account="1", since=1.0),
    ]
    accounts.end(1)
    accounts.end(0)
    accounts.end(0)
    assert accounts.over == accounts.begun[::-1]


def test_accounts_that_are_left_are_reported_again() -> None:
    """The outage of several is over when two are left; these are named if they fail once more."""
    accounts = Accounts()
    for number in (*range(4), *range(4)):
        accounts.fail(number, is_due=number > 2)
    assert [outage.accounts for outage in accounts.begun] == [4]
    accounts.end(0)
    assert accounts.over == []
    accounts.end(1)
    assert accounts.over == accounts.begun
    accounts.fail(2)
    accounts.end(3)
    assert [outage.account for outage in accounts.begun] == [None, "2"]
    accounts.end(2)
    assert accounts.over == accounts.begun


def test_removed_accounts_do_not_keep_an_outage_open() -> None:
    accounts = Accounts()
    for number in range(5):
        accounts.fail(number, is_due=number == 4)
    accounts.gone = {f"account:{number}" for number in range(1, 4)}
    accounts.end(99)
    assert accounts.over == accounts.begun


def test_servers_are_reported_apart() -> None:
    accounts = Accounts()
    for server in (SERVER, None):
        for number in range(3):
            accounts.fail(number, is_due=number == 2, server=server)
    assert [(outage.server, outage.accounts) for outage in accounts.begun] == [(SERVER, 3), (None, 3)]
    accounts.end(1)
    assert accounts.over == accounts.begun


def test_all_try_again_when_one_is_served_every_four_minutes() -> None:
    accounts = Accounts()
    for number in range(4):
        accounts.fail(number, is_due=False)
    assert accounts.reports.to_retry("account:0", 100.0) == []
    accounts.fail(3)
    assert accounts.reports.to_retry("account:9", 100.0) == []
    assert accounts.reports.to_retry("account:0", 100.0) == ["account:1", "account:2", "account:3"]
    assert accounts.reports.to_retry("account:0", 339.0) == []
    assert len(accounts.reports.to_retry("account:0", 340.0)) == 3


@pytest.mark.unmeasured
@given(st.lists(st.tuples(st.sampled_from(("fail", "due", "end", "remove")), st.integers(0, 6)), max_size=60))
def test_reports_are_complete_and_end_once(steps: list[tuple[str, int]]) -> None:
    """No account that is due is silent, no two outages of several are open, and each outage that began ends once."""
    accounts = Accounts()
    failing: set[int] = set()
    for step, number in steps:
        if f"account:{number}" in accounts.gone:
            continue
        if step in ("fail", "due"):
            accounts.fail(number, is_due=step == "due")
            failing.add(number)
        elif step == "end":
            accounts.end(number)
            failing.discard(number)
        else:
            accounts.gone.add(f"account:{number}")
        still = Counter(accounts.begun) - Counter(accounts.over)
        several = [outage for outage in still if outage.accounts is not None]
        assert len(several) <= 1
        if step == "due":
            assert several or AccountOutage(server=SERVER, account=str(number), since=0.0) in still
        if several:
            assert len(failing) >= 3
    for number in range(7):
        accounts.end(number)
    assert Counter(accounts.begun) == Counter(accounts.over)
    assert accounts.reports.of_several == {}
