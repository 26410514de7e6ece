"""Car brands, with the domain and the realm of their users."""

from __future__ import annotations

import enum

__all__ = ["Brand"]


class Brand(enum.Enum):
    """A brand of cars; each brand has its own user accounts. ``Brand("Citroën")`` looks a brand up by its name.

    Example:
        >>> Brand.DS.domain, Brand.DS.realm
        ('driveds.com', 'clientsB2CDS')
    """

    PEUGEOT = "peugeot"
    CITROEN = "citroen"
    DS = "ds"
    OPEL = "opel"
    VAUXHALL = "vauxhall"

    @classmethod
    def _missing_(cls, value: object) -> Brand:
        name = value.strip().casefold().replace("ë", "e") if isinstance(value, str) else ""
        for brand in cls:
            if brand.value == name:
                return brand
        raise ValueError(f"unknown brand {value!r:.80}: must be one of {', '.join(brand.value for brand in cls)}")

    @property
    def domain(self) -> str:
        """The domain of the brand's identity host."""
        return _BRANDS[self][0]

    @property
    def realm(self) -> str:
        """The realm that applications are usually registered for; an application may have another one."""
        return _BRANDS[self][1]


_BRANDS = {
    Brand.PEUGEOT: ("peugeot.com", "clientsB2CPeugeot"),
    Brand.CITROEN: ("citroen.com", "clientsB2CCitroen"),
    Brand.DS: ("driveds.com", "clientsB2CDS"),
    Brand.OPEL: ("opel.com", "clientsB2COpel"),
    Brand.VAUXHALL: ("vauxhall.co.uk", "clientsB2CVauxhall"),
}
