"""The commands ``login``, ``logout``, ``whoami`` and ``token``."""

import contextlib
import json
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Generator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import click
import httpx
import pytest
from click.testing import CliRunner, Result

from stellantis_hal import RetryPolicy, StellantisClient, Token
from stellantis_hal.cli.account_settings import AccountSettings
from stellantis_hal.cli.login import _save_profile
from stellantis_hal.cli.root_group import commands
from stellantis_hal.credentials.stores.file_format import parse_tokens, serialize_tokens
from stellantis_hal.simulator import Simulator, World, server
from tests.support.functions import returns

pytestmark = pytest.mark.wall_clock


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
def store(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "tokens"


@pytest.fixture
def run(simulator: Simulator, store: Path) -> Callable[..., Result]:
    environment = {
        "STELLANTIS_HAL_CLIENT_ID": simulator.client_id,
        "STELLANTIS_HAL_CLIENT_SECRET": simulator.client_secret,
        "STELLANTIS_HAL_BRAND": "peugeot",
        "STELLANTIS_HAL_REALM": simulator.world.accounts[0].realm,
        "STELLANTIS_HAL_IDENTITY_URL": simulator.identity_url,
        "STELLANTIS_HAL_BASE_URL": simulator.url,
        "STELLANTIS_HAL_STORE": str(store),
        "STELLANTIS_HAL_CONFIG": str(store.with_name("config.toml")),
    }

    def invoke(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(commands, arguments, env=environment | options.pop("env", {}), **options)

    return invoke


class Browser:
    """Opens the log-in page as an account holder who consents."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.threads: list[threading.Thread] = []
        self.typed: int | None = None
        self.wrapping = "{}"
        self.columns = 10_000

    def __call__(self, url: str) -> int:
        self.pages.append(url)
        self.threads.append(threading.Thread(target=self.browse, args=(url,)))
        self.threads[-1].start()
        return 0

    def browse(self, url: str) -> None:
        with httpx.Client(timeout=10) as client:
            address = client.get(url).headers["location"]
            if self.typed is None:
                assert client.get(address).status_code == 200
            else:
                text = self.wrapping.format(address)
                lines = [text[start : start + self.columns] for start in range(0, len(text), self.columns)]
                os.write(self.typed, "".join(f"{line}\n" for line in lines).encode())
                os.close(self.typed)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Generator[Browser, None, None]:
    browser = Browser()
    monkeypatch.setattr(click, "launch", browser)
    yield browser
    for thread in browser.threads:
        thread.join(10)


def stored_token(store: Path, account: str = "default") -> Token | None:
    return parse_tokens(store.read_bytes()).get(account)


def secrets_of(store: Path) -> list[str]:
    tokens = parse_tokens(store.read_bytes()).values()
    return [secret for token in tokens for secret in (token.access_token, token.refresh_token) if secret]


@pytest.mark.unmeasured
def test_login_by_loopback_stores_the_token(run: Callable[..., Result], store: Path, browser: Browser) -> None:
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/back", "--scope", "data:trip", "--local", "fr-FR")
    assert result.exit_code == 0, result.output
    assert "Logged in as 'default'" in result.output
    token = stored_token(store)
    assert token is not None
    assert token.scope == ("data:trip",)
    assert "local=fr-FR" in browser.pages[0]
    assert "code_challenge=" in browser.pages[0]
    assert store.stat().st_mode & 0o777 == 0o600
    assert store.parent.stat().st_mode & 0o777 == 0o700
    assert not any(secret in result.output for secret in secrets_of(store))


def test_login_by_paste_supports_custom_schemes(run: Callable[..., Result], store: Path, browser: Browser) -> None:
    reading, browser.typed = os.pipe()
    with open(reading, "rb") as typed:
        result = run("login", "--redirect-uri", "mymap://oauth2redirect/fr", "--account", "alice", input=typed)
    assert result.exit_code == 0, result.output
    assert "paste the complete URL that the browser shows" in result.output
    assert stored_token(store, "alice") is not None


FORGED = "http://127.0.0.1:8912/?code=x&state=forged"


def test_pasted_url_of_another_login_is_refused(run: Callable[..., Result], store: Path) -> None:
    result = run("login", "--paste", "--no-browser", input=f"{FORGED}\n")
    assert result.exit_code == 1
    assert "start the log-in again" in result.output
    assert not secrets_of(store)


def test_redirect_is_asked_for_again_three_times(run: Callable[..., Result], store: Path) -> None:
    """Each text is refused with what was found in it; the fourth refusal ends the command."""
    result = run("login", "--paste", "--no-browser", input=f"nothing\n\nhttps://a.test/\n{FORGED}\nunread\n")
    assert result.exit_code == 1
    assert "was found: the text has 7 characters and no address. Paste the complete URL" in result.output
    assert "Paste it again (1 of 3):" in result.output
    assert "was found: the text is empty" in result.output
    assert "Paste it again (2 of 3):" in result.output
    assert "was found: the text has only an address of https://a.test" in result.output
    assert "Paste it again (3 of 3):" in result.output
    assert "error: the redirect URL belongs to another log-in" in result.output
    assert "unread" not in result.output
    assert not secrets_of(store)


def test_input_that_ends_at_once_ends_the_command(run: Callable[..., Result]) -> None:
    result = run("login", "--paste", "--no-browser", input="")
    assert result.exit_code == 1
    assert "error: the input ended before the question was answered: answer it on a terminal" in result.output


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "wrapping",
    [
        "nothing yet\n{}",
        "'{}'",
        "Failed to launch '{}' because the scheme does not have a registered handler.",
        "curl '{}' \\\n  -H 'accept: text/html' \\\n  --compressed",
        "<{}>",
    ],
)
def test_pasted_redirect_is_found(run: Callable[..., Result], store: Path, browser: Browser, wrapping: str) -> None:
    reading, browser.typed = os.pipe()
    browser.wrapping = wrapping
    with open(reading, "rb") as typed:
        result = run("login", "--redirect-uri", "mymap://oauth2redirect/fr", input=typed)
    assert result.exit_code == 0, result.output
    assert stored_token(store) is not None


@pytest.mark.parametrize("lines_at_a_time", [True, False])
def test_redirect_that_is_wrapped_over_lines_is_found(
    run: Callable[..., Result], store: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch, lines_at_a_time: bool
) -> None:
    """On Windows, each line of a paste is read by itself."""
    if not lines_at_a_time:
        monkeypatch.setattr(select, "select", refuse_files)
    reading, browser.typed = os.pipe()
    browser.columns = 120  # three lines
    with open(reading, "rb") as typed:
        result = run("login", "--redirect-uri", "mymap://oauth2redirect/fr", input=typed)
    assert result.exit_code == 0, result.output
    assert stored_token(store) is not None
    assert ("Paste it again" in result.output) is not lines_at_a_time


def refuse_files(*_: Any) -> None:
    raise OSError("not a socket")


def test_reason_of_the_server_is_shown_by_paste(run: Callable[..., Result], browser: Browser) -> None:
    reading, browser.typed = os.pipe()
    with open(reading, "rb") as typed:
        result = run("login", "--redirect-uri", "mymap://back", "--scope", "invented", input=typed)
    assert result.exit_code == 8
    assert "error: the identity server refused the authorization request: invalid_scope: " in result.output
    assert "Unknown scope: invented" in result.output


def test_reason_of_the_server_is_shown_by_loopback(run: Callable[..., Result], browser: Browser) -> None:
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", "--scope", "invented")
    assert result.exit_code == 8
    assert "refused the authorization request: invalid_scope: Unknown scope: invented" in result.output


def test_error_without_a_state_does_not_end_the_login(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses: list[int] = []

    def send_errors(url: str) -> None:
        back = urlsplit(parse_qs(urlsplit(url).query)["redirect_uri"][0])
        for number in (0, 0, 1, 2, 3, 4, 5):
            with contextlib.closing(HTTPConnection(back.netloc, timeout=10)) as connection:
                connection.request("GET", f"{back.path}?error=server_error&error_description=Number+{number}.")
                statuses.append(connection.getresponse().status)

    def browse(url: str) -> int:
        threading.Thread(target=send_errors, args=(url,)).start()
        return 0

    monkeypatch.setattr(click, "launch", browse)
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", "--within", "2")
    assert result.exit_code == 1
    assert statuses == [404] * 7
    assert result.output.count("sent here with an error, and without a state: server_error: Number 0\n") == 1
    assert "no redirect arrived within 2 s (errors without a state: server_error: Number 0; " in result.output
    assert "Number 4" in result.output
    assert "Number 5" not in result.output


@pytest.mark.unmeasured
def test_parameters_of_the_page_are_sent(run: Callable[..., Result], browser: Browser) -> None:
    options = ("--locale", "fr-FR", "--param", "prompt=login", "--param", "acr_values=a=b")
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", *options)
    assert result.exit_code == 0, result.output
    query = parse_qs(urlsplit(browser.pages[0]).query)
    sent = [query[name] for name in ("locale", "local", "prompt", "acr_values")]
    assert sent == [["fr-FR"], ["fr-FR"], ["login"], ["a=b"]]


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("prompt", "a parameter must look like name=value"),
        ("=login", "a parameter must look like name=value"),
        ("state=mine", "parameters must not have 'state', which begin() sets: pass state=…"),
    ],
)
def test_wrong_parameter_of_the_page_is_refused(run: Callable[..., Result], parameter: str, message: str) -> None:
    result = run("login", "--paste", "--param", parameter)
    assert result.exit_code == 2
    assert f"Invalid value for '--param': {message}" in result.output


def test_browser_that_cannot_be_opened_is_reported(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> int:
        return 1

    monkeypatch.setattr(click, "launch", refuse)
    result = run("login", "--paste", input="nothing\n")
    assert "No browser could be opened: open the URL yourself" in result.output


def test_login_without_redirect_times_out(run: Callable[..., Result]) -> None:
    result = run("login", "--no-browser", "--redirect-uri", "http://127.0.0.1:0/", "--within", "1")
    assert result.exit_code == 1
    assert "no redirect arrived within 1 s: log in again, or use --paste" in result.output


def test_port_in_use_is_reported(run: Callable[..., Result]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run("login", "--no-browser", "--redirect-uri", f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert result.exit_code == 1
    assert "error: " in result.output


@pytest.mark.unmeasured
def test_wrong_secret_is_reported_and_not_shown(run: Callable[..., Result], browser: Browser) -> None:
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", env={"STELLANTIS_HAL_CLIENT_SECRET": "wr0ng-s3cret"})
    assert result.exit_code == 8
    assert "refuse" in result.output
    assert "wr0ng-s3cret" not in result.output


@pytest.fixture
def logged_in(simulator: Simulator, store: Path) -> Path:
    issued = simulator.token_for(simulator.world.accounts[0])
    store.parent.mkdir()
    store.write_bytes(
        serialize_tokens(
            {
                "default": Token(issued.access_token, issued.refresh_token, issued.expires_at, issued.scope),
                "old": Token("access-secret", None, issued.expires_at.replace(year=2000), ("data:trip", "data:alert")),
                "unknown": Token("access-secret"),
            }
        )
    )
    store.chmod(0o600)
    return store


def test_whoami_shows_the_user(run: Callable[..., Result], simulator: Simulator, logged_in: Path) -> None:
    result = run("whoami")
    assert result.exit_code == 0, result.output
    assert simulator.world.accounts[0].email in result.output
    assert not any(secret in result.output for secret in secrets_of(logged_in))


def test_whoami_prints_json(run: Callable[..., Result], simulator: Simulator, logged_in: Path) -> None:
    facts = json.loads(run("whoami", "--json").output)
    assert facts["email"] == simulator.world.accounts[0].email
    assert facts["brand"] == "peugeot"


def test_whoami_without_token_fails(run: Callable[..., Result]) -> None:
    result = run("whoami")
    assert result.exit_code == 4
    assert "the store has no token for account 'default'" in result.output
    assert "log in with: stellantis-hal login" in result.output


@pytest.mark.parametrize("option", ["--base-url", "--identity-url"])
@pytest.mark.parametrize("address", ["127.0.0.1:8123", "nonsense", "ftp://api.example/", ""])
def test_invalid_url_is_reported(run: Callable[..., Result], option: str, address: str) -> None:
    result = run("whoami", option, address)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': the URL must start with https:// (or http://) and a host" in result.output


def test_invalid_port_of_a_redirect_uri_is_reported(run: Callable[..., Result]) -> None:
    result = run("login", "--redirect-uri", "http://127.0.0.1:99999/")
    assert result.exit_code == 2
    assert "Invalid value for '--redirect-uri': Port out of range" in result.output


def test_token_shows_expiry_and_scopes_but_no_secret(run: Callable[..., Result], logged_in: Path) -> None:
    result = run("token")
    assert result.exit_code == 0, result.output
    assert "renewable  yes" in result.output
    assert "data:trip" in result.output
    assert " (in 5" in result.output
    assert not any(secret in result.output for secret in secrets_of(logged_in))


def test_token_shows_that_it_has_expired(run: Callable[..., Result], logged_in: Path) -> None:
    result = run("token", "--account", "old")
    assert " min ago; it is renewed on next use)" in result.output
    assert "renewable  no" in result.output
    assert "scope      data:trip data:alert" in result.output


def test_token_shows_an_unknown_expiry(run: Callable[..., Result], logged_in: Path) -> None:
    result = run("token", "--account", "unknown")
    assert "expires at unknown" in result.output
    assert "scope      unknown" in result.output


def test_token_prints_json(run: Callable[..., Result], logged_in: Path) -> None:
    facts = json.loads(run("token", "--account", "old", "--json").output)
    assert facts["account"] == "old"
    assert facts["expires_at"].startswith("2000-")
    assert facts["renewable"] is False
    assert facts["scope"] == ["data:trip", "data:alert"]


def test_token_of_unknown_account_lists_the_known(run: Callable[..., Result], logged_in: Path) -> None:
    result = run("token", "--account", "bob")
    assert result.exit_code == 4
    assert "not logged in as 'bob'; the token file has 'default', 'old', 'unknown'" in result.output


def test_token_before_the_first_login_makes_no_file(run: Callable[..., Result], tmp_path: Path) -> None:
    missing = tmp_path / "no folder" / "tokens.db"
    result = run("token", "--store", str(missing))
    assert (result.exit_code, result.stderr) == (
        4,
        "error: not logged in as 'default' (log in with: stellantis-hal login)\n",
    )
    assert not missing.parent.exists()


def test_logout_revokes_and_deletes_the_token(
    run: Callable[..., Result], simulator: Simulator, logged_in: Path
) -> None:
    refresh_token = stored_token(logged_in)
    result = run("logout")
    assert result.exit_code == 0, result.output
    assert stored_token(logged_in) is None
    assert refresh_token is not None
    form = {"grant_type": "refresh_token", "refresh_token": str(refresh_token.refresh_token)}
    realm = simulator.world.accounts[0].realm
    response = httpx.post(
        f"{simulator.identity_url}/access_token?realm={realm}",
        data=form,
        auth=(simulator.client_id, simulator.client_secret),
    )
    assert response.json()["error"] == "invalid_grant"


def test_logout_prints_json(run: Callable[..., Result], logged_in: Path) -> None:
    assert json.loads(run("logout", "--json").stdout) == {"account": "default", "logged_out": True}
    assert stored_token(logged_in) is None


def test_logout_without_token_fails(run: Callable[..., Result]) -> None:
    result = run("logout")
    assert result.exit_code == 4
    assert "not logged in as 'default'" in result.output


def test_unusable_certificate_is_reported(run: Callable[..., Result], logged_in: Path, tmp_path: Path) -> None:
    nonsense = tmp_path / "cert.pem"
    nonsense.write_text("nonsense")
    result = run("whoami", "--certificate", str(nonsense))
    assert result.exit_code == 8
    assert "certificate cannot be used" in result.output


@pytest.mark.unmeasured
def test_application_without_secret_sends_its_client_id(run: Callable[..., Result], browser: Browser) -> None:
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", env={"STELLANTIS_HAL_CLIENT_SECRET": ""})
    assert result.exit_code == 8, "the simulator requires a secret"
    assert "refuse" in result.output


def test_help_shows_no_secret(run: Callable[..., Result], simulator: Simulator) -> None:
    for name in ("login", "logout", "whoami", "token"):
        result = run(name, "--help")
        assert result.exit_code == 0
        assert simulator.client_secret not in result.output


@pytest.mark.unmeasured
def test_a_proxy_is_used_and_masked(
    run: Callable[..., Result], logged_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "stellantis_hal.cli.account_settings.StellantisClient", partial(StellantisClient, retry=RetryPolicy(attempts=1))
    )
    result = run("whoami", "--proxy", "http://driver:pa55@127.0.0.1:1")
    assert result.exit_code == 7
    assert "the proxy http://***@127.0.0.1:1 (from proxy=) could not be reached" in result.output
    for options in ({"env": {"HTTP_PROXY": "http://127.0.0.1:1"}}, {"env": {"STELLANTIS_HAL_PROXY": "127.0.0.1:1"}}):
        result = run("whoami", **options)
        assert result.exit_code == 7
        assert "the proxy http://127.0.0.1:1" in result.output
    assert run("whoami", "--proxy", "direct", env={"HTTP_PROXY": "http://127.0.0.1:1"}).exit_code == 0


@pytest.mark.parametrize("command", ["login", "logout", "whoami"])
def test_a_wrong_proxy_is_refused_before_anything_else(run: Callable[..., Result], command: str) -> None:
    result = run(command, "--proxy", "ftp://driver:pa55@127.0.0.1:1")
    assert result.exit_code == 2
    assert "Invalid value for '--proxy'" in result.output
    assert "must be an http, https, socks5 or socks5h URL" in " ".join(result.output.split())
    assert "pa55" not in result.output


# ------------------------------------------------------------------------------------------------- before consent


@pytest.mark.parametrize("options", [["--redirect-uri", "http://127.0.0.1:0/"], ["--paste"]])
@pytest.mark.parametrize("place", ["missing/tokens", "tokens/tokens", "damaged"])
def test_a_store_is_checked_before_consent(
    run: Callable[..., Result], browser: Browser, tmp_path: Path, place: str, options: list[str]
) -> None:
    """Consent is given once: a token that cannot be stored would be lost."""
    (tmp_path / "tokens").write_text("a file, no folder")
    (tmp_path / "damaged").write_text("no token file")
    (tmp_path / "damaged").chmod(0o600)
    (tmp_path / "missing").symlink_to("/proc/nowhere")
    result = run("login", *options, "--store", str(tmp_path / place))
    assert result.exit_code == 8
    assert str(tmp_path / place) in result.output
    assert result.output.count("\n") == 1
    assert not browser.pages


def test_a_checked_store_keeps_its_tokens(run: Callable[..., Result], store: Path, browser: Browser) -> None:
    store.parent.mkdir(mode=0o700)
    store.write_bytes(serialize_tokens({"default": Token("old"), "bob": Token("b")}))
    store.chmod(0o600)
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", "--within", "1", "--no-browser")
    assert result.exit_code == 1
    assert parse_tokens(store.read_bytes()) == {"default": Token("old"), "bob": Token("b")}


def test_a_busy_port_is_named(run: Callable[..., Result], browser: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("login", "--redirect-uri", f"http://127.0.0.1:{port}/")
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port} for the redirect: Address already in use" in result.output
    assert "--paste" in result.output
    assert not browser.pages


def test_a_closed_pipe_is_no_error_of_the_login(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def echo(text: str, **_: object) -> None:
        raise BrokenPipeError(text)

    monkeypatch.setattr(click, "echo", echo)
    monkeypatch.delattr(signal, "SIGPIPE")  # it would end this process
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", "--no-browser")
    assert result.exit_code == 141


@pytest.mark.unmeasured
def test_a_login_keeps_its_options_as_a_profile(run: Callable[..., Result], browser: Browser, store: Path) -> None:
    """The next log-in needs no options but the account's holder."""
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", "--save", "family")
    assert result.exit_code == 0, result.output
    path = store.with_name("config.toml")
    assert f"The profile 'family' is saved in {path}." in result.output
    assert "client_secret_file" in path.read_text()
    environment = {"STELLANTIS_HAL_CONFIG": str(path)}
    again = CliRunner().invoke(commands, ["login", "--redirect-uri", "http://127.0.0.1:0/"], env=environment)
    assert again.exit_code == 0, again.output
    assert CliRunner().invoke(commands, ["whoami"], env=environment).exit_code == 0
    assert len(browser.pages) == 2


def test_a_login_can_keep_nothing(run: Callable[..., Result], browser: Browser, store: Path) -> None:
    assert run("login", "--redirect-uri", "http://127.0.0.1:0/", "--no-save").exit_code == 0
    assert not store.with_name("config.toml").exists()
    assert browser.pages


def test_a_login_keeps_its_proxy(run: Callable[..., Result], browser: Browser) -> None:
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/", "--proxy", "direct")
    assert (result.exit_code, len(browser.pages)) == (0, 1)
    values = json.loads(run("config", "--json").stdout)["values"]
    assert {"name": "proxy", "value": "direct", "origin": "profile"} in values


def test_a_password_of_a_proxy_is_not_kept_and_that_is_told(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store.with_name("config.toml")
    monkeypatch.setenv("STELLANTIS_HAL_CONFIG", str(path))
    settings = AccountSettings(
        client_id="a", client_secret=None, certificate=None, certificate_key=None, brand="ds", realm=None,
        identity_url="https://id.example", base_url=None, proxy="http://ann:pa55@proxy.example", store=store,
        account="b",
    )  # fmt: skip
    _save_profile("office", settings)
    assert "proxy.example" not in path.read_text()
    assert "set STELLANTIS_HAL_PROXY" in capsys.readouterr().err
    _save_profile("office", attrs.evolve(settings, proxy="proxy.example:3128"))
    assert 'proxy = "proxy.example:3128"' in path.read_text()
    assert capsys.readouterr().err == ""


def test_without_a_home_no_profile_is_kept(
    run: Callable[..., Result], browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stellantis_hal.cli.login.config_path", returns(None))
    result = run("login", "--redirect-uri", "http://127.0.0.1:0/")
    assert result.exit_code == 8
    assert "set STELLANTIS_HAL_CONFIG" in result.output
    assert browser.pages
