"""The face of the package: its names, and the types in their signatures."""

import ast
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import stellantis_hal
from tests.client.signatures import types_in

FACE = Path(stellantis_hal.__file__)

PUBLIC: dict[str, Any] = {name: getattr(stellantis_hal, name) for name in stellantis_hal.__all__ if name[0] != "_"}

MADE_BY_CALLS = {
    "Lease": "SQLiteCheckpoints.lease() and its subclasses",
    "LeasedAccounts": "Lease.of()",
    "SQLiteLease": "SQLiteCheckpoints.lease()",
    "Account": "StellantisClient.account()",
    "Backfill": "backfill()",
    "Callbacks": "Account.callbacks",
    "FleetCallbacks": "Fleet.callbacks",
    "FleetMonitors": "Fleet.monitors",
    "VehicleMonitors": "Vehicle.monitors()",
    "Download": "HalResource.download()",
    "EnrolmentFlow": "StellantisClient.enrolment()",
    "Follow": "follow()",
    "FollowResults": "HalResource.follow_all()",
    "Form": "HalResource.forms",
    "EventStream": "Receiver.events()",
    "HalDocument": "HalResource.document",
    "HalResource": "awaiting a Follow",
    "ItemIterator": "iterating over a Paginator",
    "Operation": "the verbs of Remote",
    "OperationSteps": "iterating over an Operation",
    "Page": "iterating over Pages",
    "PageIterator": "iterating over Pages",
    "Pages": "Paginator.pages()",
    "Poll": "poll()",
    "Paginator": "HalResource.items() and the verbs of typed resources",
    "Remote": "Vehicle.remote()",
    "RemoteCharging": "Remote.charging",
    "RemoteClimate": "Remote.climate",
    "RemoteDoors": "Remote.doors",
    "RemoteStolen": "Remote.stolen",
    "TripWriter": "trip_writer()",
    "Watch": "watch()",
}
"""Classes whose instances come from a call: their constructors are internal."""

INTERNAL_TYPES = {
    "CredentialsContext": "what a client gives its credentials: the way to the identity server, its clock and cache",
    "ConnectableCredentials": "OAuth2ClientCredentials and OAuth2AuthorizationCode",
    "Curies": "how a document resolves compact URIs",
    "Dump": "a mapping that JSON can hold",
    "EmbeddedPathStep": "a step of a path inside a document",
    "EntryPoint": "the base of accounts and HAL clients",
    "Grant": "how OAuth2ClientCredentials ask for a token",
    "HasVehicles": "an account or a fleet",
    "LinkQuery": "a relation with FollowOptions",
    "LinkTarget": "what a link query selects",
    "PageSource": "what a paginator reads",
    "RedisClient": "a client of coredis",
    "RenewalBreaker": "what the accounts of one identity server share",
    "ResourceContext": "what a client gives its resources: fetch, clock and converter",
    "ResponseSnapshot": "what a response contained",
    "State": "a read-only mapping",
    "StreamedRequestBody": "a body that is read while it is sent",
    "BodyPathStep": "a step of a path inside a document",
    "SupportsWrite": "anything with write(str), as an open text file",
}
"""Types that are not exported: a public method in whose signature one stands is called by the package alone, or takes
and returns an object that a caller need not name."""


def is_made_by_a_call(place: str) -> bool:
    owner, _, member = place.partition(".")
    return member == "__init__()" and owner in MADE_BY_CALLS


def test_every_name_of_the_face_can_be_loaded() -> None:
    for name in stellantis_hal.__all__:
        assert getattr(stellantis_hal, name) is not None
    assert dir(stellantis_hal) == sorted(stellantis_hal.__all__)


def test_type_checkers_see_the_names_that_are_loaded() -> None:
    tree = ast.parse(FACE.read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
    assert sorted([*seen, "__version__"]) == sorted(stellantis_hal.__all__)
    for name, home in seen.items():
        assert getattr(importlib.import_module(home), name) is getattr(stellantis_hal, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Unknown'"):
        stellantis_hal.Unknown  # noqa: B018 - the access is the test


def test_the_face_loads_no_library() -> None:
    libraries = ("httpx", "attrs", "cattrs", "anyio", "tenacity", "ssl", "asyncio", "click", "uvicorn")
    code = f"import sys, stellantis_hal; print([name for name in {libraries} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
    newest = next(line for line in changelog.splitlines() if line.startswith("## ["))
    assert newest.startswith(f"## [{stellantis_hal.__version__}]")


@pytest.mark.unmeasured
def test_the_changelog_says_each_thing_once() -> None:
    """Entries are under headings by kind, and a merge leaves none twice."""
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text("utf-8")
    lines = changelog.split("\n## [")[1].splitlines()
    entries = [line for line in lines if line.startswith("- ")]
    kinds = {line.split()[1].rstrip(",") for line in lines if line.startswith("### ")}
    assert len(entries) == len(set(entries))
    assert kinds <= {"Renamed", "Changed", "Added", "Fixed", "Removed", "Deprecated", "Security"}
    assert [line for line in lines if re.fullmatch(r"\w+:", line)] == []


@pytest.mark.unmeasured
def test_types_in_public_signatures_are_exported() -> None:
    """Parameters, results and attributes of public names need no import from another module than the face."""
    exported = {value for value in PUBLIC.values() if isinstance(value, type)}
    missing = {
        f"{place}: {kind.__module__}.{kind.__name__}"
        for value in PUBLIC.values()
        for kind, places in types_in(value).items()
        if kind not in exported and kind.__name__ not in INTERNAL_TYPES
        for place in places
        if not is_made_by_a_call(place)
    }
    assert not missing, "\n".join(sorted(missing))


def test_internal_types_stand_in_public_signatures() -> None:
    """A type or class that is gone, or was exported, leaves the lists of exceptions above."""
    seen = {kind.__name__ for value in PUBLIC.values() for kind in types_in(value)}
    assert set(INTERNAL_TYPES) <= seen - set(PUBLIC)
    assert set(MADE_BY_CALLS) <= set(PUBLIC)


def test_exported_classes_are_used_by_public_calls() -> None:
    """A class is exported because it stands in a public signature, or because a program constructs or raises it."""
    used = {kind for value in PUBLIC.values() for kind in types_in(value)}
    constructed = {
        "Bearer",
        "FileLimiterStore",
        "FileTokenStore",
        "HalClient",
        "MemoryCache",
        "MemoryCheckpoints",
        "MemoryInbox",
        "Receiver",
        "SQLiteInbox",
        "CallbackTokenStore",
        "MemoryState",
        "MemoryTokenStore",
        "OAuth2AuthorizationCode",
        "OAuth2ClientCredentials",
        "FleetOwnerClient",
        "RedisLimiter",
        "SQLiteCache",
        "SQLiteCheckpoints",
        "PostgresCheckpoints",
        "PostgresLease",
        "PostgresTokenStore",
        "RedisCheckpoints",
        "RedisLease",
        "RedisTokenStore",
        "Report",
        "SQLiteLimiter",
        "SQLiteState",
        "SQLiteTokenStore",
        "StellantisClient",
        "TokenBucketLimiter",
    }
    kinds = {"MonitorEvent", "RemoteEvent", "UnreadableEvent"}  # of a Notification, which a program tells apart
    bases = {
        "OpenEnum",
        "BaseCallRecord",
        "StreamingFetch",
    }  # of classes of a program's own, and of the records of hooks
    values = {
        "AlarmEventType",
        "Profile",
        "PolicyRefusalReason",
        "Scope",
        "TelemetryType",
        "TripState",
    }  # of str, where a call takes str
    unused = {
        name
        for name, value in PUBLIC.items()
        if isinstance(value, type) and value not in used and not issubclass(value, Exception)
    }
    values |= {"Electric", "Fuel", "Stolen"}  # names of data items
    assert unused == constructed | bases | kinds | values


@pytest.mark.parametrize("client", [stellantis_hal.StellantisClient, stellantis_hal.HalClient])
def test_help_of_a_client_describes_each_option(client: type) -> None:
    text = pydoc.plain(pydoc.render_doc(client))
    for option in list(inspect.signature(client).parameters):
        assert re.search(rf"^ +\|  +{option}: \S", text, re.MULTILINE), option


@pytest.mark.parametrize(
    ("call", "options"),
    [
        (stellantis_hal.HalResource.follow, get_type_hints(stellantis_hal.FollowOptions)),
        (stellantis_hal.Follow.follow, get_type_hints(stellantis_hal.FollowOptions)),
        (stellantis_hal.Account.follow, get_type_hints(stellantis_hal.FollowOptions)),
        (stellantis_hal.HalResource.post, get_type_hints(stellantis_hal.WriteOptions)),
        (stellantis_hal.HalResource.put, get_type_hints(stellantis_hal.WriteOptions)),
        (stellantis_hal.watch, inspect.signature(stellantis_hal.watch).parameters),
        (stellantis_hal.backfill, inspect.signature(stellantis_hal.backfill).parameters),
        (stellantis_hal.Account.vehicles, list(inspect.signature(stellantis_hal.Account.vehicles).parameters)[1:]),
    ],
)
def test_help_of_a_call_describes_each_option(call: Callable[..., Any], options: Iterable[str]) -> None:
    text = pydoc.plain(pydoc.render_doc(call))
    for option in options:
        assert re.search(rf"^ +(- ``{option}``|{option}): \S", text, re.MULTILINE), option


GONE_FROM_PACKAGE = (
    "AnswerRecord",
    "Authorization",
    "BookStore",
    "FileBookStore",
    "Left",
    "Outcome",
    "PartnerCredentials",
    "Reader",
)
GONE_FROM_SIMULATOR = (
    "Call",
    "Chance",
    "Late",
    "Manners",
    "Moment",
    "Reply",
    "Skewed",
    "Subscription",
    "Then",
    "Tls",
    "Wave",
)
GONE_FROM_FLEET = ("CsvTrips", "Event", "GeoJsonTrips", "JsonLinesTrips", "Plan")


def test_the_changelog_renames_each_name_of_0_1_0() -> None:
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text("utf-8")
    old = [line.split("|")[1] for line in changelog.splitlines() if line.startswith("| `")]
    assert [
        name
        for name in (*GONE_FROM_PACKAGE, *GONE_FROM_SIMULATOR, *GONE_FROM_FLEET)
        if not any(name in cell for cell in old)
    ] == []
