"""Partitions: whose responses a cache holds."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.credentials import account_partition as module
from stellantis_hal.credentials.basic import Basic
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.navigation.cache.partition import Partition, choose_partition


@pytest.mark.unmeasured
@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_partitions_are_the_same_for_the_same_names_only(one: list[str], other: list[str]) -> None:
    assert (Partition.of(*one) == Partition.of(*other)) is (one == other)


def test_unnamed_partitions_differ() -> None:
    assert Partition.unnamed() != Partition.unnamed()
    assert not Partition.unnamed().is_lasting


def test_a_partition_shows_no_prefix() -> None:
    assert repr(Partition.of("alice")) == "Partition(is_lasting=True)"


def test_another_password_is_another_partition() -> None:
    users = [
        Basic("u", "p"),
        Basic("u", "p"),
        Basic("u", "q"),
        Basic("v", "p"),
    ]
    first, same, *others = (user.partition for user in users)
    assert first == same
    assert first not in others
    assert first.is_lasting


def account_partition(store: object, key: str, client: str = "") -> Partition:
    return module.account_partition(store, key, client_id=client, token_url="https://id.test/token", headers={"A": "b"})


class Store:
    """A store of tokens; with an identity where one is given."""

    def __init__(self, identity: object = None) -> None:
        self.identity = identity


class Slotted:
    """A store that takes no weak reference."""

    __slots__ = ()


def test_accounts_are_named_by_their_store_and_key() -> None:
    one, other = Store("a"), Store("b")
    assert account_partition(one, "k", "x") == account_partition(Store("a"), "k", "x")
    partitions = [
        account_partition(one, "k", "x"),
        account_partition(other, "k", "x"),
        account_partition(one, "l"),
        account_partition(one, "k"),
    ]
    assert len({partition.prefix for partition in partitions}) == 4
    assert account_partition(one, "k").is_lasting


def test_a_store_without_identity_names_accounts_while_it_exists() -> None:
    one, other = Store(), Store("")
    assert account_partition(one, "k") == account_partition(one, "k")
    assert account_partition(one, "k") != account_partition(one, "l")
    assert account_partition(one, "k") != account_partition(other, "k")
    assert not account_partition(one, "k").is_lasting
    assert account_partition(Slotted(), "k") != account_partition(Slotted(), "k")


def test_a_name_is_chosen_before_what_credentials_state() -> None:
    basic = Basic("u", "p")
    assert choose_partition(basic, "alice", must_last=True) == choose_partition(None, "alice", must_last=False)
    assert choose_partition(basic, None, must_last=True) == basic.partition
    assert choose_partition(None, None, must_last=True) == choose_partition(None, None, must_last=False)


def test_an_unknown_account_has_a_part_of_the_memory() -> None:
    auth = httpx.BasicAuth("u", "p")
    assert choose_partition(auth, None, must_last=False) != choose_partition(auth, None, must_last=False)
    with pytest.raises(
        ConfigurationError, match="nothing names the account of BasicAuth in the next one: pass partition="
    ):
        choose_partition(auth, None, must_last=True)


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (5, TypeError)])
def test_a_name_must_be_text(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="partition"):
        choose_partition(None, name, must_last=False)
