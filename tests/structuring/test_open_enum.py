"""Enumerations that keep unknown values."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.resources.blocks.energy import EnergyType
from stellantis_hal.resources.position import PositionType


def test_a_known_member_is_known_and_equals_its_string() -> None:
    assert EnergyType("Fuel") is EnergyType.FUEL
    assert EnergyType.FUEL.is_known
    assert EnergyType("Fuel") == "Fuel"


@given(st.text())
def test_an_unknown_member_is_kept_and_equals_its_string(value: str) -> None:
    member = EnergyType(value)
    assert (member, str(member), member.value, member.name) == (value, value, value, member.name)
    assert member.is_known == (value in {"Fuel", "Electric"})


@given(st.text())
def test_members_hash_like_their_strings(value: str) -> None:
    assert {EnergyType(value): 1}[value] == 1  # type: ignore[index]  # a string is what is looked up


@given(st.text())
def test_members_survive_pickling_and_copying(value: str) -> None:
    member = EnergyType(value)
    for other in (pickle.loads(pickle.dumps(member)), copy.deepcopy(member)):
        assert (other, type(other), other.is_known) == (member, EnergyType, member.is_known)


def test_an_unknown_member_does_not_join_the_enumeration() -> None:
    EnergyType("Steam")
    assert [str(member) for member in EnergyType] == ["Fuel", "Electric"]


def test_another_spelling_is_the_known_member() -> None:
    assert PositionType("Aquire") is PositionType.ACQUIRE


def test_what_is_no_string_is_no_member() -> None:
    with pytest.raises(ValueError, match="5 is not a valid EnergyType"):
        EnergyType(5)  # type: ignore[arg-type]  # wrong on purpose


def test_an_unknown_member_is_shown_in_one_line() -> None:
    assert repr(EnergyType("a\nb\x1b[2J")) == "EnergyType('a\\nb\\x1b[2J')"
    assert repr(EnergyType.FUEL) == "<EnergyType.FUEL: 'Fuel'>"


def test_unknown_members_are_not_remembered() -> None:
    before = len(EnergyType._value2member_map_)
    assert all(EnergyType(f"new {at}") == f"new {at}" for at in range(1_000))
    assert len(EnergyType._value2member_map_) == before
