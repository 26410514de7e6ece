"""The programs run: each as it stands, against the simulator."""

import ast
import io
import runpy
import tokenize
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator, World
from tests.support.examples import run_block
from tests.support.simulated import token_of
from tests.test_blocking import served
from tests.testing.test_plugin import run_suite

FOLDER = Path(__file__).parent
GUIDE = FOLDER.parents[1] / "docs" / "howto" / "host_programs.md"

pytestmark = pytest.mark.wall_clock
Main = Callable[..., Awaitable[None]]


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Serve the simulator in place of the vendor; the current folder has the tokens of Alice."""
    world = World(seed=7, accounts=1, vehicles=3, trips=12)
    simulator = Simulator(world, client_id="my-client-id", client_secret="my-client-secret")
    monkeypatch.chdir(tmp_path)
    with served(simulator):
        anyio.run(stellantis_hal.FileTokenStore(tmp_path / "tokens.json").save, "alice", token_of(simulator))
        client = partial(stellantis_hal.StellantisClient, base_url=simulator.url, identity_url=simulator.identity_url)
        monkeypatch.setattr(stellantis_hal, "StellantisClient", client)
        yield simulator


def load(name: str) -> dict[str, Any]:
    """Return the names of a program."""
    return runpy.run_path(str(FOLDER / f"{name}.py"))


@pytest.mark.usefixtures("simulator")
def test_a_poller_of_a_host(capsys: pytest.CaptureFixture[str]) -> None:
    anyio.run(load("poller")["main"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.endswith(" km") for line in lines)


def test_a_fastapi_service(simulator: Simulator) -> None:
    """Two workers as processes are in the conformance tests."""
    names = load("fastapi_service")
    app = names["app"]
    vin = simulator.world.vehicles[0].vin

    async def ask() -> None:
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://a") as ask:
            trips = (await ask.get(f"/vehicles/{vin}/trips", params={"limit": 2})).json()
            assert [trip["done"] for trip in trips] == [True, True]
            unknown = await ask.get("/vehicles/VF300000000000000/trips")
            assert (unknown.status_code, "detail" in unknown.json()) == (502, True)
            schema = (await ask.get("/openapi.json")).json()
            assert "Trip" in schema["components"]["schemas"]

    anyio.run(ask)


@pytest.mark.usefixtures("simulator")
def test_a_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = FOLDER / "notebook.py"
    anyio.run(run_block, path, 0, path.read_text("utf-8"), {})
    assert "distance_km" in capsys.readouterr().out
    assert (tmp_path / "trips.parquet").stat().st_size > 0


@pytest.mark.usefixtures("simulator")
def test_a_job_with_metrics(tmp_path: Path) -> None:
    anyio.run(load("metrics")["main"])
    text = (tmp_path / "stellantis.prom").read_text()
    assert 'stellantis_responses_total{route="/connectedcar/v4/user/vehicles/***/status",status="200"} 3.0' in text
    assert "stellantis_battery_percent{" in text


def test_tests_of_a_service(tmp_path: Path) -> None:
    assert "4 passed" in run_suite(tmp_path, (FOLDER / "service_tests.py").read_text("utf-8"))


@pytest.mark.unmeasured
@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "trio"])
@pytest.mark.usefixtures("simulator")
def test_a_program_for_any_loop(loop: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = load("any_loop")
    backend, options = names["LOOPS"][loop]
    anyio.run(names["main"], backend=backend, backend_options=options)
    assert len(capsys.readouterr().out.splitlines()) == 3


def answer_as_a_shop(request: httpx.Request) -> httpx.Response:
    """Return the answer of a shop with three orders, one of them paid, on two pages."""
    path, query = request.url.path, request.url.query
    if request.method == "POST":
        if b'"tyre"' not in request.content:
            problem = {"title": "Invalid", "errors": {"lines": ["is empty"]}}
            return httpx.Response(422, json=problem, headers={"content-type": "application/problem+json"})
        return httpx.Response(201, headers={"location": "/orders/4"})
    lines = [{"article": "oil", "price": "9.90"}, {"article": "wiper", "price": "5.05"}]
    if path == "/":
        document: dict[str, Any] = {"_links": {"orders": {"href": "/orders"}}}
    elif path == "/orders":
        numbers = (3,) if query else (1, 2)
        orders = [
            {
                "_links": {"self": {"href": f"/orders/{number}"}},
                "id": number,
                "status": "paid" if number == 2 else "open",
            }
            | {"lines": lines}
            for number in numbers
        ]
        links = {"self": {"href": "/orders"}, **({} if query else {"next": {"href": "/orders?page=2"}})}
        document = {"_links": links, "_embedded": {"orders": orders}}
    else:
        document = {"_links": {"self": {"href": path}}, "id": 4}
    return httpx.Response(200, json=document, headers={"content-type": "application/hal+json"})


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_another_hal_api(backend: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    client = partial(stellantis_hal.HalClient, transport=httpx.MockTransport(answer_as_a_shop))
    monkeypatch.setattr(stellantis_hal, "HalClient", client)
    anyio.run(load("shop")["main"], backend=backend)
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["1 14.95", "3 14.95", "made 4", "422 {'lines': ('is empty',)}"]


# ------------------------------------------------------------------------------------------------- lines


def count_lines(path: Path) -> int:
    """Return the number of lines of code: without blank ones, comments and docstrings."""
    source = path.read_text("utf-8")
    left_out = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in left_out:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)


def test_the_guide_counts_the_lines_of_each_program() -> None:
    programs = [path for path in sorted(FOLDER.glob("*.py")) if not path.name.startswith(("test_", "__"))]
    assert len(programs) == 7
    text = GUIDE.read_text("utf-8")
    rows = {path.name: f"| `tests/programs/{path.name}` | {count_lines(path)} |" for path in programs}
    assert [name for name, row in rows.items() if row not in text] == []
