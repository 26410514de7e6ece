"""Vocabulary that anonymized recordings keep: words of the API's paths, its values and member names, public hosts."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.vendor.brands import Brand
from stellantis_hal.vendor.scopes import Scope

__all__ = ["PATH_WORDS", "STRUCTURE", "is_public_host", "member_names", "vocabulary"]

_UNDERSCORE = re.compile(r"_([a-z0-9])")
STRUCTURE = ("_links", "_embedded", "_templates", "href", "$")
_SUFFIXES = (
    "groupe-psa.com",
    "simulator.test",
    "example.com",
    "example.org",
    "example.net",
    "example.test",
    "localhost",
)
_LABELS = frozenset(("api", "api-cert", "api-sandbox", "www", "idpcvs", "auth", "id", "developer", "com", "co", "uk"))
_LOOPBACK = frozenset(("127.0.0.1", "[::1]", "localhost"))
PATH_WORDS = frozenset(
    """
    connectedcar user users vehicles vehicle trips trip wayPoints waypoints alerts collisions alarms status
    lastPosition maintenance telemetry fleets fleet drivers groups monitors remotes callbacks positions am oauth2
    access_token authorize token realms root api rels orders things items things pages page first last next prev
    self search
    """.split()  # noqa: SIM905 - legible
)
_VALUES = frozenset(
    """
    Point LineString Polygon MultiPoint Feature FeatureCollection true false GET POST PUT PATCH DELETE HEAD Bearer
    Basic application/json application/hal+json application/vnd.geo+json application/problem+json
    application/prs.hal-forms+json text/html text/plain image/png image/jpeg about:blank
    invalid_grant invalid_request invalid_client invalid_token invalid_scope unauthorized_client access_denied
    unsupported_grant_type unsupported_response_type server_error temporarily_unavailable insufficient_scope
    Peugeot Citroën Citroen DS Opel Vauxhall asc desc openid profile
    application/octet-stream application/xml application/pdf text/csv text/xml
    """.split()  # noqa: SIM905 - legible
)


def vocabulary() -> frozenset[str]:
    """Return the values of all enumerations of the vehicle API, and words of HTTP, OAuth and GeoJSON."""
    for package in ("stellantis_hal.resources", "stellantis_hal.resources.blocks"):
        for module in iter_modules(import_module(package).__path__, f"{package}."):
            import_module(module.name)
    members = {member.value for kind in OpenEnum.__subclasses__() if _is_ours(kind) for member in kind}
    return _VALUES | members | {scope.value for scope in Scope} | {brand.value for brand in Brand}


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("stellantis_hal.")


def member_names() -> frozenset[str]:
    """Return the names of members that the typed resources read."""
    models, found = list(Model.__subclasses__()), set(STRUCTURE)
    while models:
        model = models.pop()
        models += model.__subclasses__()
        found |= {
            _UNDERSCORE.sub(lambda match: match[1].upper(), name) for name in getattr(model, "__annotations__", ())
        }
    return frozenset(found)


def is_public_host(host: str) -> bool:
    """Return whether the name of a host is the vendor's, the simulator's, an example or loopback."""
    if host in _LOOPBACK:
        return True
    domains = frozenset(label for brand in Brand for label in brand.domain.split("."))
    if any(host == f"idpcvs.{brand.domain}" for brand in Brand):
        return True
    for suffix in _SUFFIXES:
        if host == suffix or host.endswith(f".{suffix}"):
            return all(label in _LABELS or label in domains for label in host.removesuffix(suffix).split(".") if label)
    return False
