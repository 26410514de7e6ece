"""The clients: their parts together."""

from datetime import timedelta
from typing import Any, cast

import anyio
import attrs
import cattrs
import httpx
import pytest

from stellantis_hal import (
    Application,
    Brand,
    ConfigurationError,
    HalClient,
    MemoryTokenStore,
    NetworkError,
    NotFoundError,
    Rel,
    RetryPolicy,
    ServerError,
    StellantisClient,
    StellantisError,
    StructureError,
    Timeouts,
    Tls,
    Token,
    UntrustedOriginError,
)
from stellantis_hal.simulator import BackendVariant, Fault, HtmlError, OAuthFault, ScriptedFault, Simulator
from stellantis_hal.vendor.hosts import API_URL, CERTIFICATE_API_URL
from tests.support.simulated import ONCE, account_of, application_of, client_of, token_of, world


class Recorder(httpx.AsyncBaseTransport):
    """A server with one document, which records its requests."""

    def __init__(self, status: int = 200) -> None:
        self.requests: list[httpx.Request] = []
        self.status = status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        links = {"self": {"href": "/api"}, "order": {"href": "orders/1"}, "elsewhere": {"href": "https://other.test/"}}
        return httpx.Response(self.status, json={"name": "root", "_links": links})


@attrs.frozen
class Order:
    """A typed value of another API."""

    name: str
    number: int = 0


class Invoice:
    """A class without a hook."""


@pytest.mark.anyio
async def test_the_hal_client_walks_any_api_from_its_entry() -> None:
    recorder = Recorder()
    async with HalClient("https://api.test/v1/", transport=recorder, auth=httpx.BasicAuth("me", "secret")) as hal:
        assert (await hal.root())["name"] == "root"
        assert (await hal.follow("order")).url == "https://api.test/v1/orders/1"
        assert (await hal.get("https://api.test/direct")).status == 200
        assert hal.resume((await hal.root()).dump())["name"] == "root"
    assert all(request.headers["authorization"].startswith("Basic ") for request in recorder.requests)


@pytest.mark.anyio
async def test_default_fields_are_sent_with_every_request() -> None:
    recorder = Recorder()
    fields = {"Accept-Language": "fr", "User-Agent": "mine"}
    async with HalClient(
        "https://api.test/", transport=recorder, headers=fields, accept="application/vnd.a+json"
    ) as hal:
        root = await hal.root()
        await root.follow("order", headers={"accept-language": "de"})
        await root.put(json={})
        await hal.request("DELETE", "/x")
        await hal.get("/x")
    sent = [(request.headers["accept-language"], request.headers["user-agent"]) for request in recorder.requests]
    assert sent == [("fr", "mine"), ("de", "mine"), *[("fr", "mine")] * 3]
    assert all(request.headers["accept"].startswith("application/vnd.a+json, ") for request in recorder.requests)


@pytest.mark.anyio
async def test_identity_servers_get_no_default_fields() -> None:
    simulator = Simulator(world(trips=2))
    holder = simulator.world.accounts[0]
    store = MemoryTokenStore()
    await store.save("alice", token_of(simulator, holder))
    simulator.expire_tokens()
    sent: list[httpx.Request] = []

    class Watching(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            sent.append(request)
            return await simulator.transport().handle_async_request(request)

    brand = next(brand for brand in Brand if brand.domain == holder.domain)
    client = client_of(simulator, transport=Watching(), headers={"X-Mine": "1"})
    async with client:
        account = client.account(store, brand=brand, key="alice")
        await account.root()
        await account.with_options(priority="background").reread()
    by_field = [(request.method, request.headers.get("x-mine")) for request in sent]
    assert ("POST", None) in by_field
    assert by_field.count(("GET", "1")) >= 2


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ("X: y", TypeError, "headers must be Mapping or None, not str"),
        ({"Authorization": "x"}, ValueError, "Authorization cannot be given as a header field: credentials are given"),
        ({"accept": "x"}, ValueError, "Accept cannot be a header field of every request: use accept="),
        (
            {"If-Match": '"1"'},
            ValueError,
            "If-Match cannot be a header field of every request: give it to single calls",
        ),
        ({"Idempotency-Key": "1"}, ValueError, "Idempotency-Key cannot be a header field of every request"),
    ],
)
def test_wrong_default_fields_are_refused(fields: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        HalClient("https://api.test/", headers=fields)
    with pytest.raises(error, match=message):
        StellantisClient(Application("id", "secret"), headers=fields)
    with pytest.raises(TypeError, match="accept must be str or None, not int"):
        HalClient("https://api.test/", accept=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.anyio
async def test_the_hal_client_sends_nothing_to_other_hosts() -> None:
    recorder = Recorder()
    async with HalClient("https://api.test/", transport=recorder) as hal:
        with pytest.raises(UntrustedOriginError):
            await hal.follow("elsewhere")
    async with HalClient("https://api.test/", transport=recorder, trusted_origins=["https://other.test"]) as hal:
        assert (await hal.follow("elsewhere")).url == "https://other.test/"
    assert [request.url.host for request in recorder.requests] == ["api.test", "api.test", "other.test"]


@pytest.mark.anyio
async def test_a_relation_reads_as_an_attrs_class_of_ones_own() -> None:
    async with HalClient("https://api.test/", transport=Recorder()) as hal:
        assert await hal.follow(Rel("order", Order)) == Order("root")


@pytest.mark.anyio
async def test_the_hal_client_honours_hooks_of_its_converter() -> None:
    converter = cattrs.Converter()
    converter.register_structure_hook(Order, lambda body, _: Order(body["name"].upper()))
    async with HalClient("https://api.test/", transport=Recorder(), converter=converter) as hal:
        assert await hal.follow(Rel("order", Order)) == Order("ROOT")


@pytest.mark.anyio
async def test_a_class_without_a_hook_is_refused() -> None:
    async with HalClient("https://api.test/", transport=Recorder()) as hal:
        with pytest.raises(TypeError, match=r"cannot make a Invoice: register a hook .* pass it as converter="):
            await hal.follow(Rel("order", Invoice))


@pytest.mark.anyio
async def test_an_unfitting_body_of_an_own_class_is_a_structure_error() -> None:
    @attrs.frozen
    class Parcel:
        weight: int
        name: int

    async with HalClient("https://api.test/", transport=Recorder()) as hal:
        with pytest.raises(StructureError, match=r"Parcel at https://api\.test/orders/1: \$") as caught:
            await hal.follow(Rel("order", Parcel))
    assert [(problem.path, problem.reason) for problem in caught.value.problems] == [
        ("$.weight", "a required field is missing"),
        ("$.name", "ValueError, expected int"),
    ]


def test_a_converter_must_be_one_of_cattrs() -> None:
    with pytest.raises(TypeError, match=r"make_converter\(\)"):
        HalClient("https://api.test/", transport=Recorder(), converter=cast("Any", Order))


@pytest.mark.anyio
async def test_a_timeout_in_seconds_bounds_the_silence_of_a_server() -> None:
    recorder = Recorder()
    async with HalClient("https://api.test/", transport=recorder, timeout=7) as hal:
        await hal.root()
    async with HalClient("https://api.test/", transport=recorder, timeout=Timeouts(read=8)) as hal:
        await hal.root()
    timeouts = [request.extensions["timeout"] for request in recorder.requests]
    assert [(timeout["read"], timeout["connect"]) for timeout in timeouts] == [(7, 7), (8, 10)]


@pytest.mark.anyio
async def test_the_entry_resource_is_asked_for_again_after_a_failure() -> None:
    recorder = Recorder(status=500)
    async with HalClient("https://api.test/", transport=recorder, retry=ONCE) as hal:
        with pytest.raises(ServerError):
            await hal.root()
        recorder.status = 200
        assert (await hal.root())["name"] == "root"


@pytest.mark.anyio
async def test_a_transport_has_its_own_certificate(caplog: pytest.LogCaptureFixture) -> None:
    application = Application("my-client-id", certificate=("missing.pem", "missing.key"))
    async with StellantisClient(application, transport=Recorder()) as client:
        assert (await client.account(Token("t"), brand=Brand.DS).root())["name"] == "root"
    assert "the client certificate of the borrowed transport counts" in caplog.text
    with pytest.raises(ValueError, match="tls= has no effect on a transport of your own"):
        StellantisClient(application, transport=Recorder(), tls=Tls())


@pytest.mark.anyio
async def test_the_host_goes_with_the_certificate() -> None:
    asked: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url.copy_with(query=None)))
        return httpx.Response(404, json={"code": 40400})

    for certificate in (None, ("cert.pem", "key.pem")):
        application = Application("my-client-id", certificate=certificate)
        async with StellantisClient(application, transport=httpx.MockTransport(note)) as client:
            with pytest.raises(NotFoundError):
                await client.account(Token("t"), brand=Brand.DS).root()
    assert asked == [f"{API_URL}/user", f"{CERTIFICATE_API_URL}/user"]


@pytest.mark.anyio
async def test_an_account_is_enrolled_and_then_walked() -> None:
    simulator = Simulator(world())
    store = MemoryTokenStore()
    holder = simulator.world.accounts[0]
    brand = next(brand for brand in Brand if brand.domain == holder.domain)
    async with client_of(simulator) as client:
        enrolment = client.enrolment(brand=brand, store=store)
        consent = enrolment.begin(redirect_uri="https://example.org/back", scope=["data:trip", "data:position"])
        page = await simulator.transport().handle_async_request(
            httpx.Request("GET", f"{consent.url}&login_hint={holder.key}")
        )
        await enrolment.complete(consent, page.headers["location"], key="alice")
        account = client.account(store, brand=brand, key="alice")
        assert await account.vehicles().first() is not None
    assert list(await store.keys()) == ["alice"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (HtmlError(status=200), "200 Sorry"),
        (HtmlError(status=403), "is not from an OAuth2 server: .* 403 Sorry"),
        (HtmlError(status=503), "503 Sorry"),
        (OAuthFault("invalid_scope", description="No such scope."), "refuses .*invalid_scope: No such scope"),
        (OAuthFault("invalid_grant", description="It was used."), "invalid_grant: It was used"),
        (OAuthFault("server_error"), "server_error Try later"),
        (OAuthFault("unheard_of", 200, description="Nothing."), "unheard_of Nothing"),
    ],
)
async def test_the_identity_server_s_reason_is_in_the_error(fault: Fault, words: str) -> None:
    simulator = Simulator(world())
    simulator.script(ScriptedFault(fault=fault, path="access_token"))
    async with client_of(simulator) as client:
        enrolment = client.enrolment(brand="peugeot")
        consent = enrolment.begin(redirect_uri="mymap://back", scope="data:trip", locale="fr-FR")
        page = await simulator.transport().handle_async_request(httpx.Request("GET", consent.url))
        pasted = f"Failed to launch '{page.headers['location']}' because the scheme does not have a registered handler."
        with pytest.raises(StellantisError, match=words):
            await enrolment.complete(consent, pasted)


@pytest.mark.anyio
async def test_an_error_of_the_log_in_page_without_a_state_is_shown() -> None:
    simulator = Simulator(world(), variant=BackendVariant(errors_have_state=False))
    async with client_of(simulator) as client:
        enrolment = client.enrolment(brand="peugeot")
        consent = enrolment.begin(redirect_uri="mymap://back", scope="invented")
        page = await simulator.transport().handle_async_request(httpx.Request("GET", consent.url))
        with pytest.raises(ConfigurationError, match="invalid_scope: Unknown scope: invented"):
            await enrolment.complete(consent, page.headers["location"])


@pytest.mark.unmeasured
@pytest.mark.anyio
async def test_a_token_that_expires_between_pages_is_renewed() -> None:
    simulator = Simulator(world(trips=200))
    store = MemoryTokenStore()
    holder = simulator.world.accounts[0]
    await store.save("alice", token_of(simulator, holder))
    brand = next(brand for brand in Brand if brand.domain == holder.domain)
    async with client_of(simulator) as client:
        vehicle = await client.account(store, brand=brand, key="alice").vehicles().first()
        assert vehicle is not None
        ids: list[str | None] = []
        async for trip in vehicle.trips(page_size=20):
            ids.append(trip.id)
            if len(ids) % 50 == 0:
                simulator.expire_tokens()
    assert ids == list(simulator.world.trip_ids(vehicle.id or ""))
    assert simulator.statistics.renewals >= 3


@pytest.mark.anyio
async def test_a_simulated_token_is_renewed_at_the_brands_address() -> None:
    simulator = Simulator(world())
    holder = simulator.world.accounts[0]
    brand = next(brand for brand in Brand if brand.domain == holder.domain)
    application = application_of(simulator)
    async with StellantisClient(
        application, base_url=simulator.url, transport=simulator.transport(), clock=simulator.now
    ) as client:
        account = client.account(simulator.token_for(holder), brand=brand)
        await account.root()
        simulator.expire_tokens()
        await account.user()
    assert simulator.statistics.renewals == 1


@pytest.mark.anyio
async def test_an_unreachable_identity_server_is_a_network_error() -> None:
    """Each waiting task gets the error."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host.startswith("idpcvs."):
            raise httpx.ConnectError("away", request=request)
        return httpx.Response(401, json={"httpCode": "401", "moreInformation": "The access token is invalid"})

    errors: list[Exception] = []
    async with StellantisClient(
        Application("my-client-id"), transport=httpx.MockTransport(respond), retry=RetryPolicy(attempts=2)
    ) as client:
        account = client.account(Token("a", "r"), brand=Brand.DS)

        async def ask() -> None:
            with pytest.raises(NetworkError) as caught:
                await account.get(f"{API_URL}/user")
            errors.append(caught.value)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)
    assert len(errors) == 20


@pytest.mark.anyio
async def test_a_missing_entry_is_not_an_account_without_vehicles() -> None:
    gone = httpx.MockTransport(lambda request: httpx.Response(404, json={"code": 40400}))
    async with StellantisClient(Application("my-client-id"), transport=gone) as client:
        with pytest.raises(NotFoundError):
            await client.account(Token("t"), brand=Brand.DS).vehicles().collect()


@pytest.mark.anyio
async def test_an_account_whose_collection_is_absent_has_no_vehicles() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/user"):
            return httpx.Response(200, json={"_links": {"vehicles": {"href": "user/vehicles"}}})
        return httpx.Response(404, json={"code": 40400})

    async with StellantisClient(Application("my-client-id"), transport=httpx.MockTransport(respond)) as client:
        assert await client.account(Token("t"), brand=Brand.DS).vehicles().collect() == []


@pytest.mark.anyio
async def test_one_extension_may_be_given_as_text() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles(extensions="branding").first()
    assert vehicle is not None
    assert vehicle.branding is not None


def test_the_addresses_of_a_client_are_checked_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="must be an http or https URL with a host"):
        StellantisClient(Application("my-client-id"), base_url="ftp://files.test")


@pytest.mark.anyio
async def test_accounts_say_what_they_share() -> None:
    """Options change neither client nor credentials; another account of the client has its own credentials."""
    simulator = Simulator(world(accounts=2))
    async with client_of(simulator) as client, client_of(simulator) as other_client:
        first, second = (account_of(client, simulator, holder) for holder in simulator.world.accounts)
        patient = first.with_options(priority="background")
        stranger = account_of(other_client, simulator)
        assert first.shares_credentials(patient)
        assert not first.shares_credentials(second)
        assert first.shares_client(second)
        assert not first.shares_client(stranger)
        assert first.limiter is client.limiter
        assert first.clock == simulator.now
        hosts = [account.identity_server for account in (first, second)]
        assert hosts == ["idpcvs.peugeot.com.simulator.test", "idpcvs.citroen.com.simulator.test"]
        await first.root()
        assert second.quota == client.quota


@pytest.mark.anyio
async def test_repr_of_an_account_shows_its_key_and_no_secret() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        assert repr(account) == f"<Account {account.key!r} interactive>"
    assert "simulated-secret" not in repr(application_of(simulator))


@pytest.mark.anyio
async def test_a_rate_limited_renewal_can_be_cancelled() -> None:
    """It waits only where the deadline leaves time."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host.startswith("idpcvs."):
            asked.append(anyio.current_time())
            if len(asked) in (1, 2):
                return httpx.Response(429, headers={"Retry-After": "7"})
            return httpx.Response(200, json={"access_token": "new", "refresh_token": "s", "expires_in": 3600})
        return httpx.Response(200, json={})

    asked: list[float] = []
    async with StellantisClient(Application("my-client-id"), transport=httpx.MockTransport(respond)) as client:
        account = client.account(Token("", "r"), brand=Brand.DS)
        start = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(account.root)
            await anyio.sleep(3)
            tasks.cancel_scope.cancel()
        assert anyio.current_time() - start == pytest.approx(3, abs=1.5)
        await account.root()
        assert asked[-1] - start < 30


@pytest.mark.parametrize(
    "options", [{"priority": "low"}, {"max_wait": timedelta(60)}, {"max_wait": "5"}, {"max_wait": -1}]
)
def test_invalid_account_options_are_refused(options: Any) -> None:
    client = StellantisClient(Application("my-client-id"))
    with pytest.raises(ValueError, match=r"priority must be \"interactive\" or|must be a number of seconds"):
        client.account(Token("t"), brand=Brand.DS).with_options(**options)
