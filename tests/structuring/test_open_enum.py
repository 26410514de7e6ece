"""Enumerations that keep unknown values."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.resources.blocks.adas import EmergencyBraking
from stellantis_hal.resources.blocks.energy import EnergyType
from stellantis_hal.resources.position import PositionType
from stellantis_hal.structuring.open_enum import OpenEnum


def test_a_known_member_is_known_and_equals_its_string() -> None:
    assert EnergyType("Fuel") is EnergyType.FUEL
    assert EnergyType.FUEL.is_known
    assert EnergyType("Fuel") == "Fuel"


UNKNOWN = st.text().filter(lambda text: text.casefold() not in {"fuel", "electric"})


@given(UNKNOWN)
def test_an_unknown_member_is_kept_and_equals_its_string(value: str) -> None:
    member = EnergyType(value)
    assert (member, str(member), member.value, member.name) == (value, value, value, member.name)
    assert not member.is_known


@given(UNKNOWN)
def test_members_hash_like_their_strings(value: str) -> None:
    assert {EnergyType(value): 1}[value] == 1  # type: ignore[index]  # a string is what is looked up


@pytest.mark.unmeasured
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


@pytest.mark.parametrize("value", ["electric", "ELECTRIC"])
def test_a_value_in_another_case_is_the_known_member(value: str) -> None:
    assert EnergyType(value) is EnergyType.ELECTRIC
    assert EmergencyBraking("Off") is EmergencyBraking.OFF


def test_no_enumeration_has_values_that_differ_by_case() -> None:
    for kind in OpenEnum.__subclasses__():
        assert len({member.value.casefold() for member in kind}) == len(kind), kind


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
