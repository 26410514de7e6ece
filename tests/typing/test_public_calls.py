"""A program that uses each public call: mypy and pyright check its types, and the tests run it."""

import ast
import io
import pickle
import ssl
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from os import PathLike
from pathlib import Path
from typing import Any, assert_type

import httpx
import pytest

import stellantis_hal
from stellantis_hal import (
    Account,
    AccountEmpty,
    AccountLost,
    ActionKind,
    Alarm,
    AlarmEventType,
    Alert,
    AmbiguousLinkError,
    ApiConventions,
    ApiError,
    Application,
    AttributePlacement,
    AuthError,
    AuthorizationRequest,
    AuthorizationResponse,
    Backfill,
    BackfillSource,
    BadRequestError,
    BaseCallRecord,
    Basic,
    Batch,
    Bearer,
    BodyTooLargeError,
    Brand,
    Budget,
    BudgetExhaustedError,
    BudgetWarning,
    CacheStore,
    Callback,
    CallbackAttribute,
    CallbackFailed,
    CallbackReference,
    Callbacks,
    CallbackStatus,
    CallbackTokenStore,
    CallbackType,
    CallFailureRecord,
    Capabilities,
    Capacity,
    CapacityPlan,
    CarHistory,
    ChargingProgram,
    ChargingStatus,
    CheckpointError,
    CheckpointsInUseError,
    CheckpointStore,
    Choice,
    ClosedClientError,
    Collision,
    ConfigurationError,
    ConsentRequiredError,
    Credentials,
    DamagedCheckpointError,
    DataItem,
    DataOperand,
    DataTrigger,
    DeliveryRetry,
    DetachedResourceError,
    Diagnostic,
    Download,
    Electric,
    EndRecord,
    Energy,
    EnergyType,
    EnrolmentFlow,
    EventReceiver,
    EventStream,
    EventValue,
    EventVehicle,
    Expression,
    FailureCause,
    FenceToken,
    FencingLease,
    Fetch,
    FieldOptions,
    FileLimiterStore,
    FileTokenStore,
    Fleet,
    FleetCallbacks,
    FleetMonitors,
    FleetOwnerClient,
    FleetStatistics,
    Follow,
    FollowOptions,
    FollowResult,
    FollowResults,
    ForbiddenError,
    Form,
    FormError,
    FormField,
    FormPreview,
    Forms,
    Fuel,
    HalClient,
    HalDeprecationWarning,
    HalDocument,
    HalError,
    HalResource,
    Headers,
    Hooks,
    Inbox,
    InboxError,
    InboxStatistics,
    IncomingEvent,
    IncompleteCollectionError,
    IncompleteCollectionWarning,
    IndexRangeSyntax,
    InvalidLinkError,
    ItemIterator,
    Lease,
    LeasedAccounts,
    LeaseLostError,
    LeaseStoreError,
    LimiterSlotExpiredError,
    LimiterStatistics,
    LimiterStore,
    Link,
    LinkNotFoundError,
    LoginRedirectError,
    Maintenance,
    MemoryCache,
    MemoryCheckpoints,
    MemoryInbox,
    MemoryState,
    MemoryTokenStore,
    Model,
    Monitor,
    MonitorCondition,
    MonitorEvent,
    MonitorSpec,
    MonitorStatus,
    NetworkError,
    NotFoundError,
    NotHalError,
    Notification,
    NotificationSource,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Registration,
    OpenEnum,
    Operation,
    OperationOutcome,
    OperationStatus,
    OperationStep,
    OperationSteps,
    Operator,
    Outage,
    OutcomeUnknownError,
    Page,
    PageIterator,
    Pages,
    PaginationError,
    PaginationLoopError,
    Paginator,
    Partition,
    Partner,
    PlanStep,
    PolicyRefusalReason,
    Poll,
    Position,
    PostgresCheckpoints,
    PostgresLease,
    PostgresTokenStore,
    PreconditionFailedError,
    PreconditionRequiredError,
    Previous,
    Priority,
    Problem,
    Profile,
    Program,
    Progress,
    PushDevices,
    QuotaError,
    QuotaHeaderNames,
    RateLimitedError,
    RateLimiter,
    RateLimits,
    Receiver,
    ReconciliationPlan,
    Recovered,
    RedisCheckpoints,
    RedisLease,
    RedisLimiter,
    RedisTokenStore,
    Rel,
    Remote,
    RemoteCharging,
    RemoteClimate,
    RemoteDoors,
    RemoteEvent,
    RemoteFailedError,
    RemotePolicy,
    RemoteRefusedError,
    RemoteStolen,
    RemoteType,
    Removed,
    RenewingBearerCredentials,
    Report,
    ReportedQuota,
    ReportedWindow,
    Request,
    RequestOptions,
    RequestRecord,
    Response,
    ResponseRecord,
    RetryPolicy,
    RetryRecord,
    RetryRule,
    Scope,
    SecretNotInBatchWarning,
    ServerError,
    Slot,
    SQLiteCache,
    SQLiteCheckpoints,
    SQLiteInbox,
    SQLiteLease,
    SQLiteLimiter,
    SQLiteState,
    SQLiteTokenStore,
    StateStore,
    Status,
    StellantisClient,
    StellantisError,
    Stolen,
    StoredEvent,
    StoredResponse,
    StoredVariants,
    StreamedResponse,
    StreamingFetch,
    StructureError,
    Telemetry,
    TelemetryType,
    TemplateError,
    Theft,
    TimeEntry,
    Timeouts,
    TimeRange,
    TimeTrigger,
    Tls,
    Token,
    TokenBucketLimiter,
    TokenLike,
    TokenRecord,
    TokenStore,
    TokenStoreError,
    TooManyMonitorsError,
    TooManyRedirectsError,
    TooManyValuesError,
    Trigger,
    Trip,
    TripConsumption,
    TripFileError,
    TripState,
    TripWriter,
    TypedConverter,
    TypedResource,
    UnauthorizedError,
    UnreadableEvent,
    UntrustedOriginError,
    Update,
    User,
    ValueChange,
    Vehicle,
    VehicleCapabilities,
    VehicleIdentity,
    VehicleMonitors,
    VehicleRemoved,
    VehicleUnavailable,
    WaitRecord,
    Watch,
    WatchEvent,
    WatchSource,
    Webhook,
    WebSocket,
    WriteOptions,
    WrongLoopError,
    Zone,
    ZoneTrigger,
    backfill,
    by_activity,
    convert_unit,
    data,
    make_converter,
    otel_hooks,
    parse_notification,
    parse_push,
    poll,
    quiet,
    read_car_history,
    times,
    to_arrow,
    to_pandas,
    to_polars,
    trip_writer,
    unit_of,
    units_of,
    watch,
    zone,
)
from stellantis_hal.simulator import IssuedToken, Simulator, World

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
TRIP = Rel("trips", HalResource)


def a_simulator() -> Simulator:
    return Simulator(World(seed=7, accounts=2, vehicles=4, trips=200))


def token_of(simulator: Simulator) -> Token:
    issued = assert_type(simulator.token_for(simulator.world.accounts[0]), IssuedToken)
    return Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)


def fleet_owner_of(simulator: Simulator) -> FleetOwnerClient:
    return FleetOwnerClient(
        Partner(simulator.client_id, login=simulator.partner_login, password=simulator.partner_password),
        base_url=assert_type(simulator.partner_url, str),
        rate_limits=RateLimits(per_second=100, per_day=100_000),
        transport=simulator.transport(),
        clock=simulator.now,
    )


def client_of(simulator: Simulator, *, hooks: Hooks | None = None) -> StellantisClient:
    transport = assert_type(simulator.transport(), httpx.AsyncBaseTransport)
    return StellantisClient(
        Application(simulator.client_id, simulator.client_secret),
        base_url=assert_type(simulator.url, str),
        identity_url=assert_type(simulator.identity_url, str),
        trusted_origins=(),
        rate_limits=RateLimits(per_second=100, per_day=100_000),
        limiter=None,
        retry=RetryPolicy(attempts=5),
        timeout=Timeouts(read=10.0),
        transport=transport,
        hooks=hooks,
        clock=simulator.now,
    )


def account_of(client: StellantisClient, simulator: Simulator) -> Account:
    return client.account(token_of(simulator), brand=Brand.PEUGEOT, key="alice", realm=None)


# ------------------------------------------------------------------------------------------- applications and tokens


def test_applications_tokens_and_credentials() -> None:
    application = Application("id", "secret", certificate=("cert.pem", "key.pem"))
    assert_type(application.client_id, str)
    assert_type(application.client_secret, str | None)
    assert_type(Brand.OPEL.domain, str)
    assert_type(Brand.VAUXHALL.realm, str)
    assert {brand.name for brand in Brand} == {"PEUGEOT", "CITROEN", "DS", "OPEL", "VAUXHALL"}
    token = Token("access", "refresh", expires_at=EPOCH, scope=("data:trip",))
    assert_type(token.access_token, str)
    assert_type(token.refresh_token, str | None)
    assert_type(token.expires_at, datetime | None)
    assert_type(token.scope, tuple[str, ...])
    assert assert_type(Token.from_dict(assert_type(token.to_dict(), dict[str, Any])), Token) == token
    assert "access'" not in repr(token)
    partner = Partner("id", login="MZP123456", password="secret", certificate=("cert.pem", "key.pem"), authority="ca")
    credentials: Credentials = partner.credentials()
    assert_type(credentials.query, str)
    assert_type(Tls(certificate=("cert.pem", "key.pem")).authorities, str | PathLike[str] | None)
    context = assert_type(Tls().make_context(), ssl.SSLContext)
    assert assert_type(Tls(context=context).context, ssl.SSLContext | None) is context


@pytest.mark.anyio
@pytest.mark.wall_clock  # files are written by worker threads
async def test_token_stores(tmp_path: Path) -> None:
    kept: dict[str, Token | None] = {}
    stores: list[TokenStore] = [
        MemoryTokenStore(),
        FileTokenStore(tmp_path / "tokens"),
        CallbackTokenStore(kept.get, kept.__setitem__),
    ]
    for store in stores:
        async with store.lock("alice"):
            await store.save("alice", Token("access"))
        assert assert_type(await store.load("alice"), Token | None) == Token("access")
        assert list(assert_type(await store.keys(), Collection[str])) == ["alice"]


@pytest.mark.anyio
async def test_enrolment() -> None:
    async with client_of(a_simulator()) as client:
        enrolment = assert_type(client.enrolment(brand=Brand.DS, store=MemoryTokenStore()), EnrolmentFlow)
        begun = assert_type(
            enrolment.begin(redirect_uri="http://localhost/back", scope=[Scope.TRIP, Scope.ALERT]), AuthorizationRequest
        )
        assert assert_type(begun.url, str).startswith("https://")
        with pytest.raises(LoginRedirectError):
            assert_type(await enrolment.complete(begun, "no redirect"), Token)
        with pytest.raises(LoginRedirectError):
            assert_type(await enrolment.complete(begun, code="a", state="b"), Token)
        assert assert_type(await enrolment.withdraw("nobody"), bool) is False


class Server:
    """An authorization server in memory, as a ``Fetch``."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def __call__(self, request: Request, /) -> Response:
        self.asked.append(request)
        return Response(
            url=request.url,
            status=200,
            headers=Headers({"Content-Type": "application/json"}),
            content=b'{"access_token": "new", "expires_in": 3600}',
            received_at=EPOCH,
        )


@pytest.mark.anyio
async def test_a_bearer_token_of_any_server() -> None:
    client = OAuth2Registration(
        client_id="id", token_url="https://id.test/token", authorize_url="https://id.test/authorize"
    )
    begun = assert_type(
        AuthorizationRequest.begin(client, redirect_uri="app://back", scope="read"), AuthorizationRequest
    )
    response = assert_type(begun.read(f"app://back?code=abc&state={begun.state}"), AuthorizationResponse)
    assert_type(response.code, str)
    server = Server()
    fetch: Fetch = server
    credentials: Credentials = RenewingBearerCredentials(client, MemoryTokenStore(Token("", "refresh")), fetch=fetch)
    assert (await credentials.headers())["authorization"] == "Bearer new"
    assert [request.method for request in server.asked] == ["POST"]
    simulator = a_simulator()
    token: TokenLike = simulator.token_for(simulator.world.accounts[0])
    assert_type(token.access_token, str)


# ------------------------------------------------------------------------------------------- one account


@pytest.mark.anyio
async def test_an_account_and_its_clients_hooks() -> None:
    simulator = a_simulator()
    answers = list[ResponseRecord]()
    retries = list[RetryRecord]()
    waits = list[WaitRecord]()
    requests = list[RequestRecord]()
    failures = list[CallFailureRecord]()
    tokens = list[TokenRecord]()
    ends = list[EndRecord]()
    hooks = Hooks(
        on_end=ends.append,
        on_request=requests.append,
        on_response=answers.append,
        on_retry=retries.append,
        on_wait=waits.append,
        on_failure=failures.append,
        on_token_renewed=tokens.append,
    )
    async with client_of(simulator, hooks=assert_type(otel_hooks(hooks), Hooks)) as opened:
        client = assert_type(opened, StellantisClient)
        account = assert_type(account_of(client, simulator), Account)
        account = assert_type(account.with_options(priority="background", max_wait=600), Account)
        assert_type(account.key, str)
        assert_type(client.quota, ReportedQuota)
        assert_type(client.quota.day, ReportedWindow)
        assert client.quota.burst.remaining is None
        root = assert_type(await account.root(), HalResource)
        assert_type(await account.get(root.url), HalResource)
        assert_type(account.resume(root.dump()), HalResource)
        assert_type(account.follow("vehicles"), Follow[HalResource])
        assert_type(await account.follow("vehicles"), HalResource)
        user = assert_type(await account.user(), User)
        assert_type(user.email, str | None)
        assert_type(client.limiter, RateLimiter)
        assert assert_type(client.limiter.statistics, LimiterStatistics).granted >= 3
        first: BaseCallRecord = requests[0]
        assert_type((first.route, first.account, first.attempt), tuple[str, str | None, int])
        assert (failures, tokens, ends[0].outcome) == ([], [], "response")
        assert_type(client.quota.day.remaining, int | None)
        assert_type(client.quota.day.limit, int | None)
    assert {record.status for record in answers} == {200}
    assert_type(answers[0].seconds, float)
    assert not retries
    assert not waits


@pytest.mark.anyio
async def test_a_vehicle_and_all_its_verbs() -> None:
    simulator = a_simulator()
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        vehicles = assert_type(account.vehicles(extensions=["onboardCapabilities"]), Paginator[Vehicle])
        async for each in vehicles:
            assert_type(each, Vehicle)
        found = assert_type(await vehicles.first(), Vehicle | None)
        assert found is not None
        assert found.id is not None
        assert_type(await account.vehicle(vin=found.vin), Vehicle)
        vehicle = assert_type(await account.vehicle(found.id), Vehicle)
        assert assert_type(vehicle.same_resource(found), bool)
        assert_type(found.capabilities, Capabilities)
        assert_type(found.capabilities.has("data:trip"), bool)
        assert_type(vehicle.vin, str | None)
        assert_type(vehicle.can("trips"), bool)
        assert_type(vehicle.follow("trips"), Follow[HalResource])
        assert_type(await vehicle.follow("trips"), HalResource)
        assert_type(vehicle.document, HalDocument | None)
        assert_type(vehicle.extra, Mapping[str, Any])
        assert_type(vehicle.problems, tuple[Problem, ...])
        assert_type(await vehicle.maintenance(), Maintenance | None)
        assert_type(await vehicle.last_position(), Position | None)
        assert_type(await vehicle.user(), User | None)
        assert_type(vehicle.status_history(), Paginator[Status])
        assert_type(vehicle.alerts(), Paginator[Alert])
        assert_type(await vehicle.alerts().collect(limit=10), list[Alert])
        assert_type(vehicle.alarms(types=[AlarmEventType.STATUS]), Paginator[Alarm])
        assert_type(vehicle.collisions(), Paginator[Collision])
        assert_type(vehicle.telemetry(types=[TelemetryType.VEHICLE]), Paginator[Telemetry])
        for look_up in (vehicle.trip, vehicle.alert, vehicle.alarm, vehicle.collision):
            with pytest.raises(NotFoundError):
                await look_up("no-such-id")


@pytest.mark.anyio
async def test_a_status_and_its_values() -> None:
    simulator = a_simulator()
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        status = assert_type(await vehicle.status(), Status | None)
        assert status is not None
        assert_type(status.mileage, float | None)
        assert_type(status.is_charging, bool | None)
        assert_type(status.electric, Energy | None)
        assert_type(status.fuel, Energy | None)
        assert_type(status.last_position, Position | None)
        energies = assert_type(status.energies, tuple[Energy, ...])
        assert energies
        assert_type(energies[0].type, EnergyType | None)
        assert_type(energies[0].level, float | None)
        assert_type(energies[0].autonomy, float | None)
        assert issubclass(ChargingStatus, OpenEnum)
        assert_type(by_activity(vehicle, status), float)


@pytest.mark.unmeasured
@pytest.mark.anyio
async def test_trips_page_by_page_and_several_at_a_time() -> None:
    simulator = a_simulator()
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        trips = assert_type(
            vehicle.trips(
                ranges=TimeRange(since=EPOCH - timedelta(days=900)),
                distance=(1, None),
                states=[TripState.NOMINAL],
                newest_first=False,
                page_size=10,
            ),
            Paginator[Trip],
        )
        assert_type(await trips.total(), int | None)
        pages = assert_type(trips.pages(), Pages[Trip])
        async for page in pages:
            assert_type(page, Page[Trip])
            assert_type(page.items, tuple[Trip, ...])
            assert_type(page.number, int)
            assert_type(page.total, int | None)
            token = assert_type(page.token, str | None)
            if token is not None:
                assert_type(trips.pages(token=token), Pages[Trip])
        async with trips.ahead(1) as items:
            assert_type(items, ItemIterator[Trip])
            ahead = [item async for item in items]
        async with trips.concurrent(8) as fast:
            assert_type(fast, ItemIterator[Trip])
            assert [item async for item in fast] == ahead
        async with trips.pages().concurrent(2) as walk:
            assert_type(walk, PageIterator[Trip])
        trip = assert_type(ahead[0], Trip)
        assert_type(trip.distance, float | None)
        assert_type(trip.started_at, datetime | None)
        assert_type(trip.duration, timedelta | None)
        assert_type(trip.average_speed_kmh, float | None)
        assert_type(trip.consumption, TripConsumption)
        assert_type(trip.consumption.litres_per_100_km, float | None)
        assert_type(trip.geojson(), dict[str, Any])
        assert_type(trip.to_dict(), dict[str, Any])
        assert_type(trip.waypoints(), Paginator[Position])
        assert_type(await trip.vehicle(), Vehicle | None)
        assert_type(trip.vehicle_identity, VehicleIdentity | None)
        identity = assert_type(vehicle.identity, VehicleIdentity)
        assert_type(identity.account or identity.id or identity.vin or identity.label, str | None)


@pytest.mark.anyio
async def test_a_fleet_owner() -> None:
    simulator = a_simulator()
    async with fleet_owner_of(simulator) as client:
        assert_type(client, FleetOwnerClient)
        async for fleet in client.fleets(page_size=10):
            assert_type(fleet, Fleet)
            assert_type(fleet.name, str | None)
            assert_type(await client.fleet(fleet.id or ""), Fleet)
            assert_type(fleet.with_options(priority="background"), Fleet)
            async for vehicle in assert_type(fleet.vehicles(), Paginator[Vehicle]):
                assert_type(await vehicle.status(profile=Profile.END_USER), Status | None)
                assert_type(await vehicle.fleet(), Fleet | None)
                assert_type(vehicle.thefts(), Paginator[Theft])
                capabilities = assert_type(await client.capabilities(vehicle.vin or ""), VehicleCapabilities)
                assert_type(capabilities.has("remote:door"), bool)


# ------------------------------------------------------------------------------------------- any HAL API


class Identified(httpx.Auth):
    """A custom httpx authentication."""

    def __init__(self, simulator: Simulator) -> None:
        self._client_id = simulator.client_id
        self._fields = {
            "Authorization": f"Bearer {token_of(simulator).access_token}",
            "x-introspect-realm": simulator.world.accounts[0].realm,
        }

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.url = request.url.copy_add_param("client_id", self._client_id)
        request.headers.update(self._fields)
        yield request


@pytest.mark.anyio
async def test_a_hal_client() -> None:
    simulator = a_simulator()
    async with HalClient(
        f"{simulator.url}/user",
        auth=Identified(simulator),
        limiter=None,
        transport=simulator.transport(),
        conventions=ApiConventions(quota_headers=QuotaHeaderNames(day_remaining="x-remaining")),
        clock=simulator.now,
    ) as hal:
        root = assert_type(await hal.root(), HalResource)
        assert_type(root["email"], Any)
        assert assert_type("email" in root, bool)
        assert_type(root.state["email"], Any)
        assert_type(root.url, str)
        assert_type(root.rels, tuple[str, ...])
        assert_type(root.links, Mapping[str, tuple[Link, ...]])
        assert_type(root.embedded("vehicles"), tuple[HalResource, ...])
        assert_type(root.document.diagnostics, tuple[Diagnostic, ...])
        assert_type(root.status, int)
        assert_type(root.fetched_at, datetime)
        assert_type(await root.fetch(), HalResource)
        assert_type(root.can("vehicles"), bool)
        step = assert_type(
            hal.follow("vehicles", name=None, index=None, where=None, variables=None, params=None, embedded="never"),
            Follow[HalResource],
        )
        options_of_follow: FollowOptions = {"index": 0, "embedded": "never"}
        assert_type(step.follow("trips", **options_of_follow), Follow[HalResource])
        assert_type(step.items(), Paginator[HalResource])
        assert_type(step.pages(), Pages[HalResource])
        async for item in step.items():
            assert_type(item, HalResource)
            assert_type(item.items(), Paginator[HalResource])
            assert_type(item.follow(TRIP), Follow[HalResource])
        async with root.follow_all("vehicles", limit=2) as outcomes:
            assert_type(outcomes, FollowResults)
            async for outcome in outcomes:
                assert_type(outcome, FollowResult)
                assert_type(outcome.result(), HalResource)
        with pytest.raises(ApiError):
            assert_type(await root.post(json={}), HalResource)
        options: WriteOptions = {"json": {}, "content_type": "application/json"}
        with pytest.raises(ApiError):
            assert_type(await root.put(**options), HalResource)
        request: RequestOptions = {"form": {"a": 1}, "files": {"scan": ("a.txt", b"x")}, "if_match": "*"}
        with pytest.raises(ApiError):
            assert_type(await root.put(**request), HalResource)
        assert_type(root.condition, str | None)
        assert_type(root.preferences_applied, tuple[str, ...])
        with pytest.raises(ApiError):
            assert_type(await root.patch(json={}), HalResource)
        with pytest.raises(ApiError):
            assert_type(await root.delete(), HalResource)
        detached: HalResource = pickle.loads(pickle.dumps(root))
        with pytest.raises(DetachedResourceError):
            await detached.follow("vehicles")
        assert_type(await hal.resume(detached).follow("vehicles"), HalResource)
    assert issubclass(HalDeprecationWarning, UserWarning)
    assert issubclass(IncompleteCollectionWarning, UserWarning)


@pytest.mark.anyio
async def test_forms() -> None:
    options = {"inline": ["a"]}
    body = {"_templates": {"add": {"method": "POST", "properties": [{"name": "kind", "options": options}]}}}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    async with HalClient("https://forms.test/", transport=transport) as hal:
        root = await hal.root()
        forms = assert_type(root.forms, Forms)
        assert_type(forms.diagnostics, tuple[Diagnostic, ...])
        assert_type(forms.default, Form)
        form = assert_type(forms["add"], Form)
        field = assert_type(form["kind"], FormField)
        assert_type(form.fields, tuple[FormField, ...])
        assert_type(field.options, FieldOptions | None)
        assert_type(await field.choices(), tuple[Choice, ...])
        preview = assert_type(form.preview({"kind": "a"}, files={}, extra={}, keep_query=False), FormPreview)
        assert_type(preview.url, str)
        assert_type(
            await form.submit(kind="a", files={}, extra={"more": 1}, options={"prefer": "return=minimal"}), HalResource
        )
        with pytest.raises(FormError) as refused:
            await form.submit(kind="b")
        assert_type(refused.value.errors, Mapping[str, tuple[str, ...]])


@pytest.mark.anyio
async def test_downloads() -> None:
    body = {"_links": {"self": {"href": "/"}, "picture": {"href": "/p"}}}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    async with HalClient("https://files.test/", transport=transport) as hal:
        root = await hal.root()
        context = root.require_context()
        assert isinstance(context.fetch, StreamingFetch)
        async with context.fetch.stream(Request(url="https://files.test/p"), limit=99) as response:
            assert_type(response, StreamedResponse)
            assert_type(await anext(response.chunks), bytes)
        async with root.download("picture", credentials=False, limit=1_000, accept="image/png") as chunks:
            assert_type(chunks, Download)
            async for chunk in chunks:
                assert_type(chunk, bytes)
        async with hal.follow("picture").download() as chunks:
            assert_type(await chunks.read(), bytes)
        async with hal.download("/p") as chunks:
            assert_type(await chunks.read_text(), str)


def test_values_made_by_the_user() -> None:
    link = Link.parse("self", {"href": "/a"})
    assert_type(link, Link | None)
    assert link is not None
    assert_type(link.href, str | None)
    assert_type(IndexRangeSyntax().size, int)
    assert_type(TypedConverter(strict=True).strict, bool)
    assert_type(make_converter().structure({"distance": 1}, Trip), Trip)
    bases: list[type[Model]] = [TypedResource, Trip]
    assert all(issubclass(kind, Model) for kind in bases)
    assert_type(quiet(time(22), time(6), factor=4.0)(EPOCH), float)


# ------------------------------------------------------------------------------------------- limits


@pytest.mark.anyio
@pytest.mark.wall_clock  # the processes share a file
async def test_limiters_of_several_processes(tmp_path: Path) -> None:
    shared: RateLimiter = RedisLimiter("redis://127.0.0.1:1/0", "app", processes=2, on_outage="refuse", timeout=0.5)
    assert_type(shared.limits, RateLimits)
    async with SQLiteLimiter(tmp_path / "limiter.sqlite", "app", RateLimits(10, 100), processes=2) as limiter:
        assert_type(limiter, SQLiteLimiter)
        assert_type(limiter.is_away, bool)
        async with limiter.slot() as slot:
            slot.sent()
            slot.answered(ReportedQuota())
        assert limiter.statistics.granted == 1


@pytest.mark.anyio
@pytest.mark.wall_clock  # the limiter's state is a file
async def test_a_limiter_with_a_store(tmp_path: Path) -> None:
    books: LimiterStore = FileLimiterStore(tmp_path / "books")
    bucket = TokenBucketLimiter(RateLimits(per_second=2, per_day=None), store=books)
    limiter: RateLimiter = bucket
    priority: Priority = "background"
    async with limiter:
        assert_type(limiter.limits, RateLimits)
        assert_type(limiter.capacity(priority), Capacity)
        async with limiter.slot(priority=priority, max_wait=1.0) as slot:
            assert_type(slot, Slot)
            slot.sent()
            slot.answered(ReportedQuota())
        limiter.pause(60.0)
        with pytest.raises(BudgetExhaustedError) as refused:
            async with limiter.slot(max_wait=1.0):
                pass
        assert_type(refused.value.retry_after, float | None)
        await bucket.save()
    assert_type(await books.load(), bytes | None)


# ------------------------------------------------------------------------------------------- fleets


def describe(event: WatchEvent) -> str:
    """Describe an event; type checkers verify that each kind is handled."""
    match event:
        case Update():
            assert_type(event.vehicle, Vehicle)
            assert_type(event.trip, Trip | None)
            assert_type(event.status, Status | None)
            assert_type(event.changes, tuple[ValueChange, ...])
            return event.what
        case AccountEmpty():
            return f"{assert_type(event.account, str)}: again in {event.again_in} s"
        case AccountLost():
            assert_type(event.error, StellantisError)
            return f"{event.account}: again in {event.again_in} s"
        case VehicleUnavailable():
            assert_type(event.error, StellantisError | None)
            return event.what
        case VehicleRemoved():
            return f"{assert_type(event.account, str | None)}: {assert_type(event.vehicle, Vehicle).display_name}"
        case Outage():
            assert_type(event.server, str | None)
            assert_type(event.what, str | None)
            return str(assert_type(event.since, datetime))
        case CallbackFailed():
            return f"{assert_type(event.status, str | None)}: silent for {assert_type(event.silent_for, float)} s"
        case Recovered():
            return str(assert_type(event.after, float))


@pytest.mark.anyio
async def test_notifications() -> None:
    body = b'{"type": "Monitor", "monitorEvent": {"monitorId": "m1"}}'
    assert_type(parse_notification(body, token="secret"), tuple[Notification, ...])
    assert_type(parse_push({"mph_message": "e30="}), tuple[Notification, ...])
    inbox: Inbox = MemoryInbox(dead_after=5)
    assert_type(SQLiteInbox(":memory:", keep=timedelta(days=1)), SQLiteInbox)
    receiver = Receiver(inbox, path="/st/secret", strict_token=False)
    heard: list[Notification] = []
    source: NotificationSource = receiver
    assert_type(source.listen(heard.append), Callable[[], None])
    feed: EventReceiver = receiver
    feed.register("m1", vin=None, vehicle_id="v1")
    transport = httpx.ASGITransport(receiver)
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.post("https://hooks.example.org/st/secret", content=body)).status_code == 200
    async with assert_type(receiver.events(), EventStream) as events:
        event = assert_type(await anext(events), Notification)
    match event:
        case MonitorEvent():
            assert_type(event.values, tuple[EventValue, ...])
            assert_type(event.status, Status | None)
        case RemoteEvent():
            assert_type(event.step, OperationStep | None)
        case UnreadableEvent():
            assert_type(event.content, bytes)
        case _:
            pass
    statistics = assert_type(await inbox.statistics(), InboxStatistics)
    assert statistics.waiting == 0
    entry = IncomingEvent(id="1", kind="monitor", content=b"{}", is_verified=True, received_at=EPOCH)
    assert_type(await inbox.put([entry]), Sequence[StoredEvent])
    inbox.register("m1", EventVehicle(vin=None, vehicle_id="v1"))
    assert issubclass(InboxError, StellantisError)
    assert heard


@pytest.mark.anyio
async def test_credentials_of_any_server() -> None:
    async def token() -> str:
        return "present"

    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    login = OAuth2AuthorizationCode(
        "id", authorize_url="https://id.test/a", token_url="https://id.test/t", redirect_uri="app://back", scope="read"
    )
    robot = OAuth2ClientCredentials("https://id.test/t", "id", "secret", scope=["read"], auth_method="post")
    for auth in (Bearer("token"), Bearer(token), Basic("user", "password"), robot, login, httpx.BasicAuth("u", "p")):
        async with HalClient("https://api.test/", auth=auth, transport=transport):
            pass
    assert_type(login.authorization_url(), str)
    assert_type(login.begin(), AuthorizationRequest)
    assert not assert_type(await login.is_authorized(), bool)
    assert not await login.withdraw()


@pytest.mark.anyio
async def test_responses_that_are_cached(tmp_path: Path) -> None:
    shop = "https://shop.test/"
    stores: list[CacheStore] = [MemoryCache(1_000_000, max_body=100_000), SQLiteCache(tmp_path / "responses.db")]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}, headers={"cache-control": "max-age=60"}))
    async with HalClient(shop, transport=transport, cache=stores[0], partition="alice") as client:
        await client.get(shop)
        page = await client.get(shop)
        assert assert_type(page.from_cache, bool)
        assert_type(page.age, float)
    found = await stores[0].load("no such key")
    assert_type(found, StoredVariants)
    assert_type(found.variants, tuple[StoredResponse, ...])
    assert assert_type(Partition.of("alice"), Partition).is_lasting
    await stores[0].clear()


class AFeed:
    """A source of events."""

    def register(self, source_id: str, *, vin: str | None, vehicle_id: str) -> None:
        """Keep nothing."""

    def subscribe(self, operation_id: str, listener: Callable[[OperationStep], None]) -> Callable[[], None]:
        """Tell one step, and nothing later."""
        listener(OperationStep(OperationStatus.ACCEPTED, None, None, "event"))
        return lambda: None


async def command(vehicle: Vehicle, callback: CallbackReference | str, account: Account) -> None:
    remote = assert_type(vehicle.remote(callback), Remote)
    doors, climate = assert_type(remote.doors, RemoteDoors), assert_type(remote.climate, RemoteClimate)
    operation = assert_type(await doors.lock(label="evening"), Operation)
    async for step in operation:
        assert_type(step, OperationStep)
        assert_type(step.status, OperationStatus)
        assert_type(step.cause, FailureCause | None)
        assert_type(step.at, datetime | None)
    assert_type(aiter(operation), OperationSteps)
    assert_type(await operation.result(timeout=120), OperationOutcome)
    assert_type(await operation.confirmed(lambda status: status.is_locked is True, within=60), Status)
    assert_type(account.operation(operation.token), Operation)
    assert_type(operation.kind, ActionKind | None)
    assert_type(await remote.find(operation.label or ""), Operation | None)
    assert_type([each async for each in remote.operations()], list[Operation])
    await climate.set(Program(slot=1, at=time(7), days="Mon-Fri"))
    await vehicle.refresh(callback, older_than=timedelta(minutes=10))


async def command_a_fleet(remote: Remote, vehicle: Vehicle) -> None:
    charging, stolen = assert_type(remote.charging, RemoteCharging), assert_type(remote.stolen, RemoteStolen)
    await charging.programs([ChargingProgram(start=time(22), end=time(6), days="Mon-Fri")])
    await stolen.declare(confirm=vehicle.vin or "")


@pytest.mark.anyio
async def test_values_of_commands(tmp_path: Path) -> None:
    policy = RemotePolicy(cooldowns={ActionKind.HORN: timedelta(minutes=1)}, wake_ups_per_month=100)
    assert isinstance(AFeed(), EventReceiver)
    memory: StateStore = MemoryState()
    assert await memory.load("car") is None
    async with SQLiteState(tmp_path / "state.db") as state:
        assert await state.replace("car", None, b"{}")
        StellantisClient(Application("my-id", "my-secret"), policy=policy, state=state, receiver=AFeed())
    unknown = OutcomeUnknownError("…", label="door-abcdefgh")
    assert_type(unknown.label, str)
    refused = RemoteRefusedError("…", reason=PolicyRefusalReason.COOLDOWN)
    assert_type(refused.again_at, datetime | None)
    failed = RemoteFailedError("…", cause=FailureCause.DOORS_OPEN, advice=FailureCause.DOORS_OPEN.advice)
    assert_type(failed.is_retryable, bool)
    assert callable(command)
    assert callable(command_a_fleet)


@pytest.mark.anyio
async def test_a_fleet_that_is_watched() -> None:
    simulator = a_simulator()
    checkpoints: CheckpointStore = MemoryCheckpoints()
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        source: WatchSource = [account]
        watched = watch(
            source, every=timedelta(minutes=5), what=("status", "trips"), checkpoints=checkpoints, adapt=by_activity
        )
        async with assert_type(watched, Watch) as updates:
            async for event in updates:
                assert describe(assert_type(event, WatchEvent))
                break
            statistics = assert_type(updates.statistics, FleetStatistics)
            assert_type(statistics.budget, Budget)
            assert_type(statistics.plan, CapacityPlan | None)
            updates.pause()
            updates.resume()
            assert_type(updates.remove(account), bool)
            updates.add(account)
            with pytest.raises(KeyError):
                updates.poll_now("no-such-vehicle")
            updates.stop(within=0.0)
    assert_type(Removed("alice").target, Account | Fleet | Vehicle | str)
    assert issubclass(BudgetWarning, UserWarning)


@pytest.mark.unmeasured
@pytest.mark.anyio
@pytest.mark.wall_clock  # SQLite works in a thread
async def test_a_backfill_written_to_a_file(tmp_path: Path) -> None:
    simulator = a_simulator()
    file = io.StringIO()
    progress = list[Progress]()
    async with client_of(simulator) as client, SQLiteCheckpoints(tmp_path / "fleet.db") as checkpoints:
        writer = assert_type(trip_writer(file, "jsonl"), TripWriter)
        source: BackfillSource = [account_of(client, simulator)]
        history = backfill(source, checkpoints=checkpoints, progress=progress.append, clock=simulator.now)
        async with assert_type(history, Backfill) as trips:
            async for event in trips:
                if isinstance(event, Update):
                    assert_type(writer.write(event), bool)
        writer.close()
    assert assert_type(writer.written, int) == len(file.getvalue().splitlines()) > 0
    assert assert_type(writer.found, int) == assert_type(writer.skipped, int) == 0
    with trip_writer(tmp_path / "trips.csv", mode="new", vin="masked") as by_path:
        assert_type(by_path, TripWriter)
    assert assert_type(progress[-1].is_complete, bool)


@pytest.mark.anyio
async def test_a_report_of_a_car() -> None:
    simulator = a_simulator()
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        history = assert_type(await read_car_history(vehicle, routes=0, measurements=0), CarHistory)
    assert_type(history.trips, tuple[Trip, ...])
    assert_type(history.remarks, tuple[str, ...])
    report = Report(cars=[history, CarHistory(vehicle=vehicle, trips=[Trip()])], made_at=EPOCH, zone=UTC)
    html: Callable[[], str] = report.html
    write: Callable[[Path], int] = report.write
    assert callable(html)
    assert callable(write)


@pytest.mark.anyio
@pytest.mark.wall_clock  # SQLite works in a thread
async def test_stores_of_several_processes(tmp_path: Path) -> None:
    async with (
        SQLiteCheckpoints(tmp_path / "fleet.db") as checkpoints,
        assert_type(checkpoints.lease("fleet", shards=2), SQLiteLease) as lease,
    ):
        held: Lease = lease
        assert_type(held.shards, frozenset[int])
        accounts: list[Account] = []
        assert_type(held.of(accounts), LeasedAccounts)
        fence: FencingLease = held
        assert_type(fence.token("alice"), FenceToken)
        assert_type(fence.share(), float)
    async with SQLiteTokenStore(tmp_path / "tokens.db", encrypt=bytes.upper, decrypt=bytes.lower) as sqlite:
        assert_type(await sqlite.keys(), tuple[str, ...])
    simulator = a_simulator()
    async with client_of(simulator) as client:
        vehicle = await anext(aiter(account_of(client, simulator).vehicles()))
        async with assert_type(poll(vehicle, what="status"), Poll) as found:
            assert_type(await anext(found), WatchEvent)
    dsn = "postgresql://db.test/fleet"
    tokens: list[TokenStore] = [PostgresTokenStore(dsn), RedisTokenStore("redis://redis.test", durable=False)]
    stores: list[CheckpointStore] = [PostgresCheckpoints(dsn, fence=lease), RedisCheckpoints("redis://redis.test")]
    leases: list[Lease] = [PostgresLease(dsn, "fleet", shards=4), RedisLease("redis://redis.test", "fleet")]
    assert len([*tokens, *stores, *leases]) == 6


# ------------------------------------------------------------------------------------------- errors


@pytest.mark.anyio
async def test_callbacks() -> None:
    simulator = Simulator(World(seed=7))
    async with client_of(simulator) as client:
        callbacks = account_of(client, simulator).callbacks
        assert_type(callbacks, Callbacks)
        secret = CallbackAttribute(part=AttributePlacement.HEADER, key="x-secret", value="s")
        target = Webhook("https://hooks.example.org/st", token="s", attributes=[secret])
        callback = await callbacks.ensure(target, label="garage", types=(CallbackType.MONITOR, "Remote"))
        assert_type(callback, Callback)
        assert_type(callback.status, CallbackStatus | None)
        assert_type(callback.target, Webhook | PushDevices | WebSocket | None)
        assert_type(target.attributes[0].part, AttributePlacement | None)
        assert (await (await callback.pause()).resume()).status is CallbackStatus.RUNNING
        assert_type(await callback.update(PushDevices(["device"]), label="phone"), Callback)
        assert_type([each async for each in callbacks(types="Monitor")], list[Callback])
        assert_type(await callbacks.get(callback.id or ""), Callback)
        await callback.delete(with_monitors=True)
        await callbacks.create(target, label="other")
    assert issubclass(SecretNotInBatchWarning, UserWarning)


@pytest.mark.anyio
async def test_monitors() -> None:
    simulator = Simulator(World(seed=7))
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        callback = await account.callbacks.ensure(Webhook("https://hooks.example.org/st"), label="garage")
        vehicle = await account.vehicles().first()
        assert vehicle is not None
        home, low = zone("home", 48.8667, 2.3333, km=1), data("low", Electric.LEVEL) < 20
        assert_type(home, Zone)
        assert_type(home.exits, ZoneTrigger)
        assert_type(low, DataTrigger)
        observed: DataOperand = data("charging", DataItem.CHARGING_STATUS, previous="Disconnected")
        assert_type(observed.equals("InProgress").previous, Previous | None)
        night = times("night", daily=time(22), lasting=timedelta(hours=8), days="Mon-Fri", zone="Europe/London")
        assert_type(night, TimeTrigger)
        entry: TimeEntry = night.entries[0]
        assert_type(entry.lasting, timedelta | None)
        when: Expression = home.exits & (low | ~night)
        monitors = vehicle.monitors(callback)
        assert_type(monitors, VehicleMonitors)
        monitor = await monitors.create("left home", when=when, include=("status",), refresh=timedelta(minutes=10))
        assert_type(monitor, Monitor)
        assert_type(monitor.status, MonitorStatus | None)
        assert_type(monitor.when, Expression | None)
        assert_type(monitor.triggers, tuple[Trigger, ...])
        assert_type(monitor.condition, MonitorCondition | None)
        assert_type([each async for each in vehicle.monitors()], list[Monitor])
        plan = await monitors.reconcile([MonitorSpec(label="low", when=low)], dry_run=True)
        assert_type(plan, ReconciliationPlan)
        assert_type(plan.changes, tuple[PlanStep, ...])
        assert_type(await (await (await monitor.pause()).resume()).update(refresh=60), Monitor)
        assert_type(await monitors.get(monitor.id or ""), Monitor)
        await monitor.delete()
    assert Fuel.LEVEL is DataItem.FUEL_LEVEL
    assert Stolen.STATE.value == "stolen.state"
    assert Operator.CHANGES.value == "onChange"
    assert issubclass(TooManyMonitorsError, ApiError)


@pytest.mark.anyio
async def test_control_of_a_fleet() -> None:
    simulator = Simulator(World(seed=7, vehicles=2))
    async with fleet_owner_of(simulator) as client:
        fleet = await client.fleets().first()
        assert fleet is not None
        hook = Webhook("https://hooks.example.org/st", token="s")
        retry, batch = DeliveryRetry.bounded(3, every=10), Batch(10, within=60)
        assert_type(fleet.callbacks, FleetCallbacks)
        callback = await fleet.callbacks.ensure(hook, label="all", actions=("Doors",), retry=retry, batch=batch)
        assert_type(callback.actions, tuple[RemoteType, ...])
        assert_type(retry.rule, RetryRule | None)
        assert_type(fleet.monitors, FleetMonitors)
        monitor = await fleet.monitors.ensure("stolen", when=data("s", Stolen.STATE).changes(), deliver=hook)
        assert_type(monitor.deliver, Webhook | None)
        assert_type([each async for each in fleet.monitors()], list[Monitor])


def test_errors_and_their_attributes() -> None:
    network: list[type[NetworkError]] = [TooManyRedirectsError, BodyTooLargeError]
    api: list[type[ApiError]] = [BadRequestError, UnauthorizedError, ForbiddenError, NotFoundError, ServerError]
    api += [PreconditionFailedError, PreconditionRequiredError]
    quota: list[type[QuotaError]] = [RateLimitedError, BudgetExhaustedError, LimiterSlotExpiredError]
    auth: list[type[AuthError]] = [ConsentRequiredError, ConfigurationError, TokenStoreError]
    hal: list[type[HalError]] = [
        TooManyValuesError,
        NotHalError,
        InvalidLinkError,
        LinkNotFoundError,
        AmbiguousLinkError,
        TemplateError,
        PaginationError,
        PaginationLoopError,
        IncompleteCollectionError,
        UntrustedOriginError,
        DetachedResourceError,
    ]
    others: list[type[StellantisError]] = [
        StructureError,
        CheckpointError,
        CheckpointsInUseError,
        DamagedCheckpointError,
        TripFileError,
        ClosedClientError,
    ]
    others += [WrongLoopError, LeaseStoreError, LeaseLostError]
    assert_type(LeaseLostError("…", scope="fleet/0").scope, str)
    assert_type(TooManyValuesError("…").values, int)
    for kind in (*network, *api, *quota, *auth, *hal, *others):
        assert issubclass(kind, StellantisError)
    both: type[ApiError] = RateLimitedError
    assert issubclass(both, QuotaError)

    assert_type(NetworkError("…", sent=True).sent, bool)
    answer = ServerError("…", status=503)
    assert_type(answer.status, int)
    assert_type(answer.detail, str | None)
    assert_type(answer.errors, Mapping[str, tuple[str, ...]])
    assert_type(answer.problem_type, str | None)
    assert_type(answer.headers, Mapping[str, str])
    assert answer.document is None
    assert answer.resource is None
    assert_type(answer.code, int | None)
    assert_type(answer.uuid, str | None)
    assert_type(answer.timestamp, datetime | None)
    assert_type(answer.transaction_id, str | None)
    assert_type(answer.url, str)
    assert_type(answer.is_transient, bool)
    assert_type(ForbiddenError("…", status=403).scopes, tuple[str, ...])
    assert_type(RateLimitedError("…", status=429).retry_after, float | None)
    assert_type(ConsentRequiredError("…", key="alice").key, str | None)
    assert_type(LinkNotFoundError("…", rel="trips").rel, str)
    assert_type(LinkNotFoundError("…", rel="trips").available, tuple[str, ...])
    assert_type(AmbiguousLinkError("…", rel="trips").candidates, tuple[str, ...])
    assert_type(StructureError("…").problems, tuple[Any, ...])
    assert_type(TripFileError("…", path="trips.csv").path, str)
    assert_type(answer.resume_token, str | None)


def test_units() -> None:
    assert_type(unit_of(Trip, "distance"), str | None)
    assert_type(units_of(Trip), dict[str, str])


def test_tables() -> None:
    trips = [make_converter().structure({"distance": 36.5}, Trip)]
    assert assert_type(trips[0].row()["distance_km"], str | float | int | bool | datetime | None) == 36.5
    assert to_arrow(trips).num_rows == 1
    assert to_polars(trips).height == 1
    assert list(to_pandas(trips)["distance_km"]) == [36.5]
    assert_type(convert_unit(1.0, "kWh", "Wh"), float)


# ------------------------------------------------------------------------------------------- completeness


def used() -> set[str]:
    """Return the names that the tests above mention, apart from their import."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def is_part(name: str) -> bool:
    """Return whether a public name is the class of a value that stands in another one (the doors of a status)."""
    value: object = getattr(stellantis_hal, name)
    return isinstance(value, type) and issubclass(value, Model | OpenEnum)


def test_every_public_name_is_used_here() -> None:
    """Classes of values inside of typed resources are left out: reading tests cover them."""
    unused = set(stellantis_hal.__all__) - {"__version__"} - used()
    assert {name for name in unused if not is_part(name)} == set()
    assert_type(stellantis_hal.__version__, str)
