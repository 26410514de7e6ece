"""The command ``doctor`` against a served simulator, and with everything wrong."""

import json
import threading
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
import trustme
from click.testing import CliRunner, Result

from stellantis_hal import FileTokenStore, Token
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import Simulator, World, server
from tests.support.functions import returns
from tests.support.simulated import token_of

pytestmark = pytest.mark.wall_clock

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def simulator() -> Generator[Simulator, None, None]:
    simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=0))
    running, listening = server(simulator)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield simulator
    running.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture
def run(simulator: Simulator, tmp_path: Path) -> Run:
    environment = {
        "STELLANTIS_HAL_CLIENT_ID": simulator.client_id,
        "STELLANTIS_HAL_CLIENT_SECRET": simulator.client_secret,
        "STELLANTIS_HAL_BRAND": "peugeot",
        "STELLANTIS_HAL_REALM": simulator.world.accounts[0].realm,
        "STELLANTIS_HAL_IDENTITY_URL": simulator.identity_url,
        "STELLANTIS_HAL_BASE_URL": simulator.url,
        "STELLANTIS_HAL_STORE": str(tmp_path / "tokens"),
        "STELLANTIS_HAL_CONFIG": str(tmp_path / "config.toml"),
    }

    def invoke(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(commands, ["doctor", *arguments], env=environment | variables)

    return invoke


def verdicts(ran: Result) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["state"], each["text"]) for each in json.loads(ran.stdout)}


def save(tmp_path: Path, token: Token) -> None:
    anyio.run(FileTokenStore(tmp_path / "tokens").save, "default", token)


@pytest.mark.unmeasured
def test_all_is_well(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    save(tmp_path, token_of(simulator))
    ran = run("--json")
    found = verdicts(ran)
    assert {name: state for name, (state, _) in found.items() if state not in {"ok", "warn"}} == {}
    assert set(found) >= {"configuration", "proxy", "API name", "API server", "identity server", "token", "quota"}
    assert found["quota"][1].endswith("requests left today")
    assert ran.exit_code == 0
    assert "ok    configuration   options and variables\n" in run().stdout


def test_without_a_token_the_rest_is_skipped(run: Run) -> None:
    ran = run()
    assert ran.exit_code == 1
    assert "FAIL  token           no token of 'default'\n      Run stellantis-hal login.\nskip  scopes " in ran.stdout


def test_scopes_that_lack_are_named(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    whole = token_of(simulator)
    save(tmp_path, Token(whole.access_token, None, scope=["data:trip"]))
    state, text = verdicts(run("--json"))["scopes"]
    assert (state, "data:trip" in text, "data:position" in text) == ("warn", False, True)
    save(tmp_path, Token(whole.access_token, None, scope=[]))
    assert verdicts(run("--json"))["scopes"] == ("warn", "the token does not say its scopes")
    assert "without an end, not renewable" in run().stdout


def test_servers_that_do_not_answer_are_named(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    save(tmp_path, token_of(simulator))
    nowhere = {"STELLANTIS_HAL_BASE_URL": "http://127.0.0.1:9", "STELLANTIS_HAL_IDENTITY_URL": "http://127.0.0.1:9"}
    found = verdicts(run("--json", **nowhere))
    assert found["API server"][0] == found["identity server"][0] == "FAIL"
    assert found["request"][0] == "skip"
    unknown = verdicts(run("--json", STELLANTIS_HAL_BASE_URL="http://host.invalid"))
    assert unknown["API name"][0] == "FAIL"
    assert "API server" not in unknown


def test_a_request_that_is_refused_is_named(run: Run, tmp_path: Path) -> None:
    save(tmp_path, Token("wrong", None, scope=["data:trip"]))
    assert verdicts(run("--json"))["request"][0] == "FAIL"


def test_a_proxy_is_used_for_the_checks(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    save(tmp_path, token_of(simulator))
    found = verdicts(run("--json", STELLANTIS_HAL_PROXY="http://ann:pw@127.0.0.1:9"))
    assert "pw" not in found["proxy"][1]
    assert found["API server"][0] == "FAIL"
    assert "API name" not in found, "the proxy resolves it"
    assert verdicts(run("--json", STELLANTIS_HAL_PROXY="direct"))["API server"][0] == "ok"


@pytest.mark.parametrize(
    ("date", "state"),
    [
        ("Mon, 01 Jan 2024 00:00:00 GMT", "FAIL"),
        ("Mon, 01 Jan 2124 00:00:00 GMT", "FAIL"),
        ("yesterday", "warn"),
        (None, None),
    ],
)
def test_the_clock_is_compared(run: Run, monkeypatch: pytest.MonkeyPatch, date: str | None, state: str | None) -> None:
    async def answer(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(404, headers={} if date is None else {"Date": date})

    monkeypatch.setattr(httpx.AsyncClient, "get", answer)
    assert verdicts(run("--json")).get("API clock", (None, ""))[0] == state


def test_a_certificate_has_to_be_valid(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    now = datetime.now(UTC)
    path = tmp_path / "cert.pem"
    for days, state, advice in (
        (100, "ok", ""),
        (10, "warn", "Ask for a new one."),
        (-1, "FAIL", "Ask for a new one;"),
    ):
        issued = authority.issue_cert("client.example", not_after=now + timedelta(days=days))
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        shown = run("--certificate", str(path)).stdout
        assert f"{state:<5} certificate    " in shown
        assert advice in shown
    assert "skip  all others      they need the certificate" in shown
    path.write_text("no certificate")
    assert "FAIL  certificate     cannot be used: " in run("--certificate", str(path)).stdout
    issued = authority.issue_cert("client.example")
    issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    monkeypatch.setattr("stellantis_hal.cli.doctor.find_spec", returns(None))
    assert "ok    certificate     can be used; install cryptography" in run("--certificate", str(path)).stdout


def test_a_damaged_token_file_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("damaged")
    assert verdicts(run("--json"))["token"][0] == "FAIL"


def test_configuration_comes_first(tmp_path: Path) -> None:
    environment = {"STELLANTIS_HAL_CONFIG": str(tmp_path / "config.toml")}
    ran = CliRunner().invoke(commands, ["doctor"], env=environment)
    assert (ran.exit_code, ran.stdout.count("\n")) == (1, 2)
    simulated = CliRunner().invoke(commands, ["doctor", "--simulate"], env=environment)
    assert (simulated.exit_code, simulated.stdout.count("\n")) == (0, 1)
