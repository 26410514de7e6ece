"""Profiles: whose view of a fleet's vehicle is read."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Profile", "is_of_fleet", "profile_parameter"]


class Profile(StrEnum):
    """Whose view of the data of a fleet's vehicle is read."""

    FLEET = "fleet"
    END_USER = "endUser"


def is_of_fleet(resource: HalResource) -> bool:
    """Return whether a resource belongs to a fleet, as its address or its link to the fleet says."""
    return "fleets" in urlsplit(resource.url).path.split("/") or resource.can("fleet")


def profile_parameter(resource: HalResource, profile: str | None) -> str | None:
    """Return the query value of a profile; None for the server's default, that of the fleet.

    Raises:
        ValueError: there is no such profile, or the resource belongs to no fleet and so has none. Nothing was sent.
        TypeError: it is not text.
    """
    require_type("profile", profile, str, None)
    if profile is None:
        return None
    if profile not in set(Profile):
        raise ValueError(f"profile must be 'fleet' or 'endUser', not {profile!r:.40}")
    if not is_of_fleet(resource):
        raise ValueError(
            "profile= is for vehicles of a fleet, as FleetOwnerClient reads them: this resource belongs to an account, "
            "whose holder sees all that was consented to; leave it out"
        )
    return str(profile)
