"""The terminal browser, driven by textual's pilot on servers in process."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList, Select, Static

from stellantis_hal import HalClient
from stellantis_hal.cli.browser_dialogs import ConfirmWriteScreen, HalFormScreen
from stellantis_hal.cli.browser_entries import entries_of
from stellantis_hal.cli.hal_browser import HalBrowser, VisitedResource
from stellantis_hal.cli.python_snippet import PythonSnippet
from stellantis_hal.simulator import Simulator
from stellantis_hal.testing import simulated_account, simulated_client, small_world
from tests.support.form_server import FormServer

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
URL = "https://people.test/"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # textual runs there only


class Driven:
    """A browser with its pilot."""

    def __init__(self, browser: HalBrowser, pilot: Pilot[None]) -> None:
        self.browser = browser
        self.pilot = pilot

    async def settle(self) -> None:
        """Wait until nothing is being loaded, unless a question is shown."""
        await self.pilot.pause()
        for _ in range(200):
            if not any(worker.is_running for worker in self.browser.workers) or len(self.browser.screen_stack) > 1:
                break
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def click(self, name: str) -> None:
        """Press a button, wherever it is scrolled to."""
        self.screen.query_one(name, Button).press()
        await self.settle()

    async def open(self, label: str) -> None:
        """Select the entry whose label has this text."""
        entries = self.browser.query_one("#entries", OptionList)
        texts = [str(entries.get_option_at_index(index).prompt) for index in range(entries.option_count)]
        entries.highlighted = next(index for index, text in enumerate(texts) if label in text)
        await self.press("enter")

    def text(self, name: str) -> str:
        """Return what a part of the main screen shows."""
        return str(self.browser.screen_stack[0].query_one(f"#{name}", Static).visual)

    @property
    def entries(self) -> list[str]:
        found = self.browser.screen_stack[0].query_one("#entries", OptionList)
        return [str(found.get_option_at_index(index).prompt) for index in range(found.option_count)]

    @property
    def screen(self) -> Any:
        return self.browser.screen


@asynccontextmanager
async def browsing(
    app: Any, *, masked: bool = False, size: tuple[int, int] = (100, 40), url: str = URL
) -> AsyncGenerator[Driven]:
    transport = app if isinstance(app, httpx.AsyncBaseTransport) else httpx.ASGITransport(app)
    async with HalClient(url, transport=transport) as client:
        browser = HalBrowser(client, masked=masked)
        async with browser.run_test(size=size) as pilot:
            driven = Driven(browser, pilot)
            await driven.settle()
            yield driven


def serving(body: Any, status: int = 200) -> httpx.MockTransport:
    return httpx.MockTransport(lambda request: httpx.Response(status, json=body))


async def test_links_copies_and_history() -> None:
    server = FormServer()
    async with browsing(server) as driven:
        assert driven.text("where") == f"200  {URL}"
        assert driven.entries[:3] == ["→ self  /", "→ people  All people", "✎ Add a person  POST"]
        await driven.open("people")
        assert driven.text("where") == f"200  {URL}people"
        await driven.open("people[0]")
        assert driven.text("where") == f"embedded  {URL}people/1"
        await driven.press("c")
        assert driven.text("note") == "(await hal.follow('people')).embedded('people')[0]"
        await driven.press("backspace", "b", "b")
        assert driven.text("where") == f"200  {URL}"
        await driven.press("f", "c")
        assert driven.text("note") == "await hal.follow('people')"
        await driven.press("h")
        assert driven.screen.query_one("#choices", OptionList).option_count == 3
        await driven.press("up", "enter")
        assert driven.text("where") == f"200  {URL}"
        await driven.press("h", "escape")
        assert len(driven.browser.screen_stack) == 1


async def test_a_form_is_filled_in_confirmed_and_sent() -> None:
    server = FormServer()
    async with browsing(server) as driven:
        await driven.open("Add a person")
        screen = driven.screen
        assert isinstance(screen, HalFormScreen)
        assert len(screen.query(Input)) == 4  # the hidden one is not shown
        await driven.press("ctrl+s")
        assert str(screen.query_one("#faults", Static).visual) == "name: is required"
        screen.query_one("#field0", Input).value = "Bea"
        screen.query_one("#field1", Input).value = "20"
        await driven.click("#choices2")
        await driven.press("down", "enter")
        assert screen.query_one("#field2", Input).value == "guest"
        await driven.press("ctrl+s")
        assert isinstance(driven.screen, ConfirmWriteScreen)
        assert str(driven.screen.query_one("#request", Static).visual) == f"POST {URL}people  with name, age, role"
        assert [request[0] for request in server.requests] == ["GET", "GET"]
        await driven.press("y")
        assert server.requests[-1] == ("POST", "/people", {"name": "Bea", "age": 20, "role": "guest", "token": "t0"})
        assert driven.text("where") == f"201  {URL}people/2"
        await driven.press("c")
        assert driven.text("note") == (
            "await (await hal.root()).forms['add'].submit(name='Bea', age='20', role='guest')"
        )


async def test_a_write_that_is_not_confirmed_is_not_sent() -> None:
    server = FormServer()
    async with browsing(server) as driven:
        await driven.open("people")
        await driven.open("people[0]")
        for answer in ("n", "escape"):
            await driven.open("remove")
            assert str(driven.screen.query_one("#request", Static).visual) == f"DELETE {URL}people/1"
            await driven.press(answer)
            assert driven.text("note") == "nothing was sent"
        await driven.open("default")
        assert isinstance(driven.screen.query_one("#field1"), Select)
        await driven.press("escape")
        assert {request[0] for request in server.requests} == {"GET"}
        await driven.open("remove")
        await driven.click("#yes")
        assert server.people == {}


async def test_a_search_needs_no_confirmation() -> None:
    server = FormServer()
    async with browsing(server) as driven:
        await driven.open("search")
        driven.screen.query_one("#field0", Input).value = "an"
        await driven.click("#send")
        assert server.requests[-1][:2] == ("GET", "/people?q=an")


async def test_choices_of_a_select_are_sent() -> None:
    server = FormServer()
    async with browsing(server) as driven:
        await driven.open("people")
        await driven.open("people[0]")
        await driven.open("default")
        driven.screen.query_one("#field1", Select).value = 1
        await driven.press("ctrl+s", "y")
        assert server.people["1"] == {"name": "Ann", "role": "guest"}


@pytest.mark.unmeasured
async def test_passwords_are_neither_shown_nor_copied() -> None:
    server = FormServer()
    async with browsing(server) as driven:
        await driven.open("login")
        assert driven.screen.query_one("#field1", Input).password
        driven.screen.query_one("#field0", Input).value = "ann"
        driven.screen.query_one("#field1", Input).value = "secret"
        await driven.press("ctrl+s", "y", "c")
        assert driven.text("note").endswith(".submit(user='ann', password=...)")


@pytest.mark.unmeasured
async def test_the_form_of_an_error_can_be_filled_in() -> None:
    async with browsing(FormServer()) as driven:
        for password in ("wrong", "secret"):
            await driven.open("login" if password == "wrong" else "default")
            driven.screen.query_one("#field0", Input).value = "ann"
            driven.screen.query_one("#field1", Input).value = password
            await driven.press("ctrl+s", "y")
            assert ("401" in driven.text("note")) == (password == "wrong")
        assert '"welcome": "ann"' in driven.text("document")
        await driven.press("c")
        assert driven.text("note") == "await error.resource.forms['default'].submit(user='ann', password=...)"


async def test_files_are_paths(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    server = FormServer()
    async with browsing(server) as driven:
        await driven.open("scan")
        driven.screen.query_one("#field1", Input).value = str(tmp_path / "no")
        await driven.press("ctrl+s")
        assert "No such file" in str(driven.screen.query_one("#faults", Static).visual)
        driven.screen.query_one("#field1", Input).value = str(tmp_path / "a.txt")
        await driven.press("ctrl+s", "y")
        assert server.requests[-1][2] == {"scan": b"content"}


@pytest.mark.unmeasured
async def test_nothing_is_sent_to_foreign_targets() -> None:
    server = FormServer()
    async with browsing(server) as driven:
        await driven.open("away")
        driven.screen.query_one("#field0", Input).value = "x"
        await driven.press("ctrl+s", "y")
        assert "not trusted" in driven.text("note")
        assert len(server.requests) == 1


TEMPLATE = {
    "_links": {"find": {"href": "/find{?q,token}", "templated": True}, "self": [{"href": "/1"}, {"href": "/2"}]}
}


async def test_templates_ask_for_their_variables() -> None:
    async with browsing(serving(TEMPLATE)) as driven:
        assert driven.entries == ["→ find {…}  /find{?q,token}", "→ self  /1", "→ self  /2"]
        await driven.open("find")
        assert [field.password for field in driven.screen.query(Input)] == [False, True]
        driven.screen.query_one("#ask0", Input).value = "a b"
        await driven.press("enter", "c")
        assert driven.text("where") == f"200  {URL}find?q=a%20b"
        assert driven.text("note") == "await hal.follow('find', variables={'q': 'a b'})"
        await driven.open("find")
        await driven.press("escape")
        await driven.open("find")
        await driven.click("#cancel")
        await driven.open("find")
        await driven.click("#ok")
        assert driven.text("where") == f"200  {URL}find"
        await driven.open("/2")
        await driven.press("c")
        assert driven.text("note").endswith("follow('self', index=1)")


async def test_unreadable_templates_are_errors() -> None:
    async with browsing(serving({"_links": {"a": {"href": "/{", "templated": True}}})) as driven:
        await driven.open("a")
        assert "is not a URI template" in driven.text("note")


async def test_errors_are_shown_and_refresh_tries_again() -> None:
    answers = [httpx.Response(404), httpx.Response(200, json={"a": 1})]
    async with browsing(httpx.MockTransport(lambda request: answers.pop(0))) as driven:
        assert "404" in driven.text("note")
        await driven.press("s", "c", "d", "h", "b")
        answers.append(httpx.Response(200, json={"a": 2}))
        await driven.press("r")
        assert '"a": 1' in driven.text("document")
        await driven.press("r")
        assert '"a": 2' in driven.text("document")
        kind = {"content-type": "application/hal+json"}
        answers.append(httpx.Response(404, json={"title": "It is gone"}, headers=kind))
        await driven.press("r")
        assert "404" in driven.text("note")
        assert "It is gone" in driven.text("document")


@pytest.mark.unmeasured
async def test_secrets_and_control_characters_are_not_shown() -> None:
    body = {
        "_links": {"x": {"href": "/a?access_token=S3CRET", "title": "\x1b[31mred[bold]\u202e"}},
        "accessToken": "S3CRET",
        "note": "Bearer S3CRETS3CRET\x9b2J\nnext https://u:S3CRET@h.test/?sig=S3CRET&a=1",
        "mail": "ann@example.org",
        "[b]": None,
    }
    for masked in (False, True):
        async with browsing(serving(body), masked=masked, url=f"{URL}?client_id=S3CRET") as driven:
            for keys in (["s"], ["s"]):
                await driven.press(*keys)
                seen = "\n".join([driven.text("document"), driven.text("where"), *driven.entries])
                assert "S3CRET" not in seen
                assert all(char.isprintable() for char in seen.replace("\n", ""))
                assert ("ann@example.org" in seen) != masked


ODD = {
    "_templates": {
        "odd": {
            "method": "POST",
            "properties": [
                {"name": "kind", "options": {"inline": ["a", "b"]}},
                {"name": "fixed", "readOnly": True, "value": "x"},
                {"name": "link", "value": "https://h.test/?token=S3CRET"},
                {"name": "list", "value": [1, 2]},
                {"name": "number", "value": 5},
                {"name": "far", "options": {"link": {"href": "/far"}}},
                {"name": "scan", "type": "file"},
            ],
        }
    }
}


async def test_fields_of_every_kind() -> None:
    sent: list[Any] = []

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/far":
            return httpx.Response(404 if not sent else 200, json=[])
        if request.method == "POST":
            sent.append(json.loads(request.content))
        return httpx.Response(200, json=ODD)

    async with browsing(httpx.MockTransport(respond)) as driven:
        await driven.open("odd")
        screen = driven.screen
        assert screen.query_one("#field1", Input).disabled
        assert screen.query_one("#field2", Input).placeholder == "https://h.test/?token=***"
        screen.query_one("#field3", Input).value = "[3]"
        screen.query_one("#field4", Input).value = "six"
        screen.query_one("#field6", Input).value = "x"
        await driven.click("#choices5")
        assert "404" in str(screen.query_one("#faults", Static).visual)
        screen.query_one("#field6", Input).value = ""
        screen.query_one("#field4", Input).focus()
        await driven.press("enter", "y")
        assert sent == [{"fixed": "x", "link": "https://h.test/?token=S3CRET", "list": [3], "number": "six"}]
        await driven.open("odd")
        await driven.click("#choices5")
        await driven.click("#cancel")
        assert len(driven.browser.screen_stack) == 1


async def test_documentation_of_curies() -> None:
    curies = [{"name": "x", "href": "https://docs.test/{rel}", "templated": True}]
    links = {"curies": curies, "x:a": {"href": "/a"}, "b": {"href": "/b"}}
    async with browsing(serving({"_links": links})) as driven:
        await driven.press("d")
        assert driven.text("note") == "https://docs.test/a"
        await driven.press("down", "d")
        assert driven.text("note") == "b: no documentation is declared"


async def test_arrays_and_narrow_screens() -> None:
    async with browsing(serving([{"a": 1}, 5, {"a": 2}]), size=(50, 20)) as driven:
        assert driven.entries == ["▣ [0]", "▣ [2]"]
        await driven.open("[2]")
        assert '"a": 2' in driven.text("document")
        await driven.press("c")
        assert driven.text("note") == "(await hal.root()).at(2)"


async def test_huge_documents_are_bounded() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    links = {f"r{index}": {"href": "/"} for index in range(1_500)}
    async with browsing(serving({"_links": links, "deep": deep, "text": ["x" * 9_000] * 30})) as driven:
        assert len(driven.entries) == 1_001
        assert driven.entries[-1] == "… only the first 1000 are listed"
        assert "… cut: " in driven.text("document")
        assert "nested more than 60 levels" in driven.text("document")


async def test_loading_can_be_stopped() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        import anyio

        await anyio.sleep(600)
        raise AssertionError

    async with HalClient(URL, transport=httpx.MockTransport(never)) as client:
        browser = HalBrowser(client)
        async with browser.run_test() as pilot:
            await pilot.pause()
            await pilot.press("escape")
            await pilot.pause()
            assert str(browser.query_one("#note", Static).visual) == ""
            assert browser.page is None


async def test_the_simulated_api() -> None:
    simulator = Simulator(small_world())
    async with simulated_client(simulator) as client:
        account = simulated_account(client, simulator)
        start = VisitedResource(await account.root(), PythonSnippet.at("account"))
        browser = HalBrowser(account, name="account", page=start)
        async with browser.run_test(size=(100, 40)) as pilot:
            driven = Driven(browser, pilot)
            await driven.settle()
            await driven.open("→ vehicles")
            assert driven.text("where").endswith("/user/vehicles")
            page = browser.page
            assert page is not None
            assert any(entry.kind == "copy" for entry in entries_of(page.resource))
            await driven.press("c")
            assert "account.follow(" in driven.text("note")
