"""The command ``browse``: options, ``--json`` and its errors."""

import json
import sys
import threading
from collections.abc import Generator
from typing import Any, TextIO

import pytest
import uvicorn
from click.testing import CliRunner, Result

from stellantis_hal import StellantisError
from stellantis_hal.cli import browse as module
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.python_snippet import PythonSnippet
from stellantis_hal.cli.root_group import commands
from stellantis_hal.cli.visible import mask_secrets, visible
from tests.support.form_server import FormServer
from tests.support.functions import returns

pytestmark = pytest.mark.wall_clock


@pytest.fixture(scope="module")
def server() -> Generator[tuple[str, FormServer], None, None]:
    app = FormServer()
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off")
    listening = config.bind_socket()
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/", app
    running.should_exit = True
    thread.join(10)
    listening.close()


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(commands, ["browse", *arguments], env=environment)


def test_json_prints_one_resource(server: tuple[str, FormServer]) -> None:
    ran = run(server[0], "--json")
    assert (ran.exit_code, json.loads(ran.stdout)["title"]) == (0, "People")
    ran = run(server[0], "--json", "--follow", "people")
    assert json.loads(ran.stdout)["total"] == 1


@pytest.mark.unmeasured
def test_json_of_the_simulated_api() -> None:
    assert "@" in json.loads(run("--simulate", "--json").stdout)["email"]
    assert json.loads(run("--simulate", "--json", "--mask").stdout)["email"] == "***"


@pytest.mark.parametrize(
    ("options", "sent"), [(["--bearer-env", "SECRET"], "Bearer ann:pw"), (["--basic-env", "SECRET"], "Basic YW5uOnB3")]
)
def test_credentials_come_from_the_environment(
    options: list[str], sent: str, server: tuple[str, FormServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields: dict[str, str] = {}

    def respond(self: FormServer, *arguments: Any) -> tuple[int, dict[str, str], Any]:
        fields.update(arguments[-1])
        return 200, {}, {}

    monkeypatch.setattr(FormServer, "_respond", respond)
    assert run(server[0], "--json", *options, SECRET="ann:pw").exit_code == 0
    assert fields["authorization"] == sent


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no URL: name the address at which the API begins, or pass --simulate"),
        (["http://h.test/", "--simulate"], "leave out the URL, or --simulate"),
        (["http://h.test/", "--bearer-env", "A", "--basic-env", "B"], "exclude each other"),
        (["http://h.test/", "--bearer-env", "NOT_SET"], "NOT_SET is not set"),
        (["ftp://h.test/", "--json"], "an origin must be an http or https URL"),
        (["http://127.0.0.1:1/?access_token=S3CRET", "--json"], "127.0.0.1"),
    ],
)
def test_mistakes(arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(settings: Any) -> None:
        raise StellantisError("cannot reach 127.0.0.1")

    if "127.0.0.1" in message:
        monkeypatch.setattr(module, "_run", fail)
    ran = run(*arguments)
    assert ran.exit_code != 0
    assert message in ran.output
    assert "S3CRET" not in ran.output


def test_the_extra_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, server: tuple[str, FormServer]
) -> None:
    monkeypatch.setitem(sys.modules, "textual", None)
    ran = run(server[0])
    assert ran.exit_code == 8
    assert "stellantis-hal[browse]" in ran.output
    assert run(server[0], "--json").exit_code == 0


def test_the_browser_is_opened(server: tuple[str, FormServer], monkeypatch: pytest.MonkeyPatch) -> None:
    from stellantis_hal.cli.hal_browser import HalBrowser

    pages: list[Any] = []

    async def run_async(self: HalBrowser) -> None:
        pages.append(self.page)

    monkeypatch.setattr(HalBrowser, "run_async", run_async)
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", returns(True))
    assert run(server[0], "--follow", "people").exit_code == 0
    assert str(pages[0].trail) == "await hal.follow('people')"


def test_the_browser_needs_a_terminal(server: tuple[str, FormServer], monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(server[0])
    assert ran.exit_code == 2
    assert "standard input is not one; --json needs none" in " ".join(ran.output.split())

    def is_standard_input(stream: TextIO) -> bool:
        return stream.name == "<stdin>"

    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", is_standard_input)
    assert "standard error is not one" in " ".join(run(server[0]).output.split())


# ------------------------------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://u:p@h.test/a?client_id=x&b=1#c", "https://***@h.test/a?client_id=***&b=1#c"),
        ("Authorization: Bearer abcdef.ghi", "Authorization: Bearer ***"),
        ("eyJhbGciOi.eyJzdWIiOi.c2ln", "***"),
        ("a\x1b[2J\nb\u202ec", "a\ufffd[2J b\ufffdc"),
        ("X-Api-Key=abc", "X-Api-Key=***"),
        ("monkey=abc", "monkey=abc"),
        ("x" * 20_000, "x" * 10_000 + "…"),
    ],
)
def test_secrets_in_texts(text: str, expected: str) -> None:
    assert mask_secrets(text) == expected


def test_secrets_in_documents() -> None:
    document = {
        "apiKey": "S",
        "refresh_token": {"a": "S"},
        "password": "",
        "tokens": None,
        "key": "shown",
        "n": [1, "a\nb"],
    }
    assert visible(document) == {
        "apiKey": "***", "refresh_token": "***", "password": "", "tokens": None, "key": "shown", "n": [1, "a b"],
    }  # fmt: skip
    assert visible({"vin": "VF3EC2B9A00000000", "a": 1}, masked=True) == {"vin": "***", "a": 1}


def test_json_is_printable() -> None:
    value = {"é\u202e": "\x1b\x9b\n\x7f\U000e0001"}
    text = json_text(value)
    assert all(char == "\n" or char.isprintable() for char in text)
    assert json.loads(text) == value
    assert "é" in text


def test_trails() -> None:
    root = PythonSnippet.at("hal")
    people = root.follow("people", index=1)
    assert str(root) == "await hal.root()"
    assert str(people.follow("next", variables={"a": "1", "token": ...})) == (
        "await hal.follow('people', index=1).follow('next', variables={'a': '1', 'token': ...})"
    )
    first = people.embedded("people", 0)
    assert str(first.embedded("x", 2)) == "(await hal.follow('people', index=1)).embedded('people')[0].embedded('x')[2]"
    assert str(first.follow("a\u202e")) == (
        "await (await hal.follow('people', index=1)).embedded('people')[0].follow('a\\u202e')"
    )
    made = root.submit("add", {"first-name": "A", "age": 5})
    assert str(made) == "await (await hal.root()).forms['add'].submit({'first-name': 'A'}, age=5)"
    assert str(made.at_index(3)) == f"({made}).at(3)"
