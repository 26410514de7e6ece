"""Options that are on or off, given as a text, as an environment variable is."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stellantis_hal import (
    Application,
    AuthorizationRequest,
    Callback,
    FileTokenStore,
    OAuth2AuthorizationCode,
    OAuth2Registration,
    Receiver,
    RedisCheckpoints,
    RedisTokenStore,
    Report,
    SQLiteInbox,
    SQLiteTokenStore,
    StellantisClient,
    Webhook,
    backfill,
    make_converter,
    poll,
    trip_writer,
    watch,
)
from stellantis_hal.simulator import BackendVariant, Simulator, World
from stellantis_hal.testing import ReplayTransport
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio

TEXT: Any = "no"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("strict", lambda no: StellantisClient(Application("id", "secret"), strict=no)),
        ("keep_document", lambda no: StellantisClient(Application("id", "secret"), keep_document=no)),
        ("strict", lambda no: make_converter(strict=no)),
        ("allow_others", lambda no: FileTokenStore("tokens", allow_others=no)),
        ("allow_others", lambda no: SQLiteTokenStore("tokens.db", allow_others=no)),
        ("durable", lambda no: RedisTokenStore("redis://127.0.0.1", durable=no)),
        ("durable", lambda no: RedisCheckpoints("redis://127.0.0.1", durable=no)),
        (
            "pkce",
            lambda no: OAuth2AuthorizationCode(
                "id", authorize_url="https://a.test", token_url="https://a.test", redirect_uri="app://", pkce=no
            ),
        ),
        (
            "pkce",
            lambda no: AuthorizationRequest.begin(
                OAuth2Registration(client_id="id", token_url=""), redirect_uri="app://", scope="", pkce=no
            ),
        ),
        ("strict_token", lambda no: Receiver(SQLiteInbox("inbox.db"), path="/st", token="secret", strict_token=no)),
        ("formulas", lambda no: trip_writer("trips.csv", formulas=no)),
        ("show_vins", lambda no: Report(cars=[], made_at=datetime.now(UTC), show_vins=no)),
        ("show_places", lambda no: Report(cars=[], made_at=datetime.now(UTC), show_places=no)),
        ("newer", lambda no: backfill([], newer=no)),
        ("repeat_last", lambda no: ReplayTransport(b"", repeat_last=no)),
        ("rotates_tokens", lambda no: Simulator(world(), rotates_tokens=no)),
        ("moving", lambda no: World(moving=no)),
        ("control", lambda no: Simulator(world()).served(control=no)),
        ("newest_first", lambda no: BackendVariant(newest_first=no)),
    ],
)
def test_a_text_for_what_is_on_or_off(name: str, make: Callable[[Any], object]) -> None:
    """The text "no" switched it on."""
    with pytest.raises(TypeError, match=rf"^{name} must be bool, not str$"):
        make("no")


async def test_a_text_for_what_a_call_has_on_or_off() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        vehicle = await account.vehicles().first()
        assert vehicle is not None
        resource, no = vehicle.require_resource(), TEXT
        webhook = Webhook("https://hooks.example.org/st", token="secret")
        calls: dict[str, Callable[[], Any]] = {
            "repeats": lambda: watch(account, every=timedelta(minutes=1), repeats=no),
            "newest_first": lambda: vehicle.trips(newest_first=no),
            "reverse": lambda: resource.items("trips", reverse=no),
            "unique": lambda: resource.follow("trips").items(unique=no),
            "dry_run": lambda: vehicle.monitors("1").reconcile([], dry_run=no),
            "keep_others": lambda: vehicle.monitors("1").reconcile([], keep_others=no),
            "allow_http_loopback": lambda: account.callbacks.create(webhook, label="mine", allow_http_loopback=no),
            "with_monitors": lambda: Callback(id="1").delete(with_monitors=no),
            "credentials": lambda: resource.download("trips", credentials=no).__aenter__(),
        }
        for name, call in calls.items():
            with pytest.raises(TypeError, match=rf"^{name} must be bool, not str$"):
                await call()
        with pytest.raises(TypeError, match=r"^repeats must be bool, not str$"):
            poll(vehicle, repeats=no)
