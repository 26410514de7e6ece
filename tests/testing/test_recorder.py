"""Recordings of the simulated vendor, and of hostile answers, and their replay."""

import gzip
import json
import pickle
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from stellantis_hal import Brand, HalClient, StellantisClient, StellantisError, Token
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import Recorder, UnrecordedRequestError
from stellantis_hal.testing.replay import ReplayTransport
from tests.support.examples import run_block, steps_of
from tests.support.simulated import ONCE, account_of, application_of, client_of, token_of

pytestmark = pytest.mark.anyio

Answers = Callable[[httpx.Request], httpx.Response]
GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "recording.md"
URL = "https://api.example.com/v4/user"


def read(path: Path) -> str:
    return path.read_text()


def write(path: Path, text: str) -> None:
    path.write_text(text)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def simulated(*, trips: int = 70) -> Simulator:
    return Simulator(World(seed=7, accounts=1, vehicles=1, trips=trips))


async def walk(client: StellantisClient, token: Token) -> list[Any]:
    """Return all that a walk through an account finds."""
    account = client.account(token, brand=Brand.PEUGEOT)
    found: list[Any] = [await account.user()]
    async for vehicle in account.vehicles():
        found += [vehicle, await vehicle.status(), await vehicle.last_position()]
        found += [alert async for alert in vehicle.alerts()]
        found += [trip async for trip in vehicle.trips(page_size=20)]
    return found


async def record(answers: Answers, path: Path, *urls: str, **options: Any) -> str:
    """Record the answers to GET requests, and return the file's text."""
    recorder = Recorder(**options)
    transport = recorder.transport(httpx.MockTransport(answers))
    async with httpx.AsyncClient(transport=transport) as client:
        for url in urls or (URL,):
            await client.get(url)
    recorder.save(path)
    return read(path)


async def test_a_walk_replays_to_the_same_typed_values(tmp_path: Path) -> None:
    simulator = simulated()
    recorder = Recorder(clock=simulator.now)
    async with client_of(simulator, transport=recorder.transport(simulator.transport())) as client:
        original = await walk(client, token_of(simulator))
    recorder.save(tmp_path / "walk.json")
    replay = Recorder.replay(tmp_path / "walk.json")
    async with client_of(simulator, transport=replay, clock=replay.now) as client:
        replayed = await walk(client, Token("access", "refresh"))
    assert [type(value) for value in replayed] == [type(value) for value in original]
    assert [value.problems for value in replayed] == [value.problems for value in original]
    trips = [value for value in original if type(value).__name__ == "Trip"]
    again = [value for value in replayed if type(value).__name__ == "Trip"]
    assert len(trips) > 40
    for before, after in zip(trips, again, strict=True):
        assert after.duration == before.duration == after.stopped_at - after.started_at
        assert after.distance == before.distance
        assert after.id != before.id
        assert after.started_at - again[0].started_at == before.started_at - trips[0].started_at
    assert replay.unused == ()
    assert "ReplayTransport" in repr(replay)
    assert "exchanges" in repr(recorder)


async def test_the_file_is_private_and_sorted(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    text = await record(lambda _: httpx.Response(200, json={"b": 1, "a": True}), path)
    assert mode_of(path) == 0o600
    document = json.loads(text)
    assert document["version"] == 1
    assert text == json.dumps(document, indent=1, sort_keys=True) + "\n"
    assert document["privacy"]["left_as_it_was"]["$.b"] == 1
    assert names_in(tmp_path) == ["one.json"]
    with pytest.raises(IsADirectoryError):
        Recorder().save(tmp_path)
    (tmp_path / "link").symlink_to(path)
    path.chmod(0o644)
    Recorder().save(tmp_path / "link")
    assert (sorted(names_in(tmp_path)), mode_of(path)) == (["link", "one.json"], 0o644)
    assert '"exchanges": []' in read(path)


async def test_repeated_requests_get_their_answers_in_order(tmp_path: Path) -> None:
    answers = iter(
        [httpx.Response(200, json={"total": 1}), httpx.Response(503), httpx.Response(200, json={"total": 2})]
    )
    await record(lambda _: next(answers), tmp_path / "a.json", *[f"{URL}?b=2&a=1"] * 3)
    replay = Recorder.replay(tmp_path / "a.json")
    async with httpx.AsyncClient(transport=replay) as client:
        assert (await client.get(f"{URL}?a=1&client_id=other&b=2")).json() == {"total": 1}
        assert replay.unused == (f"GET {URL}?b=2&a=1",) * 2
        assert (await client.get(f"{URL}?a=%31&b=2")).status_code == 503
        assert (await client.get(f"{URL}?a=1&b=2")).json() == {"total": 2}
        with pytest.raises(UnrecordedRequestError, match=r"recorded 3 times.*repeat_last"):
            await client.get(f"{URL}?a=1&b=2")
    async with httpx.AsyncClient(transport=Recorder.replay(tmp_path / "a.json", repeat_last=True)) as client:
        assert [(await client.get(f"{URL}?a=1&b=2")).status_code for _ in range(5)] == [200, 503, 200, 200, 200]


@pytest.mark.parametrize(("status", "is_told"), [(200, True), (299, True), (302, False), (502, False)])
async def test_a_body_that_was_left_out_is_no_empty_body(tmp_path: Path, status: int, is_told: bool) -> None:
    """The status of an error says enough; a picture of no bytes would pass for one."""
    await record(lambda _: httpx.Response(status, content=b"<svg>"), tmp_path / "a.json", URL)
    async with httpx.AsyncClient(transport=Recorder.replay(tmp_path / "a.json")) as client:
        if is_told:
            with pytest.raises(UnrecordedRequestError, match="which left it out: not JSON"):
                await client.get(URL)
        else:
            assert (await client.get(URL)).status_code == status
        with pytest.raises(UnrecordedRequestError, match="was recorded once, and is sent once more"):
            await client.get(URL)


async def test_an_unrecorded_request_names_the_nearest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await record(lambda _: httpx.Response(200), tmp_path / "a.json", URL, f"{URL}/vehicles", f"{URL}/vehicles?a=1")
    async with httpx.AsyncClient(transport=Recorder.replay(tmp_path / "a.json")) as client:
        with pytest.raises(UnrecordedRequestError, match=r"GET .*/trips was not recorded. The nearest") as caught:
            await client.get(f"{URL}/vehicles/trips")
    assert caught.value.nearest[0] == f"GET {URL}/vehicles"
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.nearest) == (str(caught.value), caught.value.nearest)
    assert caplog.messages == []
    assert Recorder().requests == 0
    Recorder().save(tmp_path / "empty.json")
    assert caplog.messages == [
        "a recording without a request was saved: pass transport=recorder.transport() to the client"
    ]
    empty = Recorder.replay(tmp_path / "empty.json")
    async with httpx.AsyncClient(transport=empty) as client:
        with pytest.raises(UnrecordedRequestError, match="recording is empty"):
            await client.get(URL)
    with pytest.raises(ValueError, match="empty"):
        empty.now()


async def test_an_unrecorded_request_passes_through_the_client(tmp_path: Path) -> None:
    await record(lambda _: httpx.Response(200), tmp_path / "a.json")
    async with HalClient(URL, transport=Recorder.replay(tmp_path / "a.json")) as client:
        with pytest.raises(UnrecordedRequestError):
            await client.get("https://api.example.com/v4/other")


async def test_failures_of_the_network_are_replayed(tmp_path: Path) -> None:
    failures: list[Exception] = [httpx.ReadTimeout("VF3EC2B9A00000000"), OSError("secret")]

    def fail(_: httpx.Request) -> httpx.Response:
        raise failures.pop(0)

    recorder = Recorder()
    async with httpx.AsyncClient(transport=recorder.transport(httpx.MockTransport(fail))) as client:
        for kind in (httpx.ReadTimeout, OSError):
            with pytest.raises(kind):
                await client.get(URL)
    recorder.save(tmp_path / "a.json")
    assert "secret" not in read(tmp_path / "a.json")
    async with httpx.AsyncClient(transport=Recorder.replay(tmp_path / "a.json")) as client:
        with pytest.raises(httpx.ReadTimeout, match="recorded: ReadTimeout"):
            await client.get(URL)
        with pytest.raises(httpx.NetworkError):
            await client.get(URL)


async def test_errors_are_replayed_as_errors(tmp_path: Path) -> None:
    simulator = simulated(trips=1)
    recorder = Recorder(clock=simulator.now)
    async with client_of(simulator, transport=recorder.transport(simulator.transport()), retry=ONCE) as client:
        account = client.account(Token("wrong", None), brand=Brand.PEUGEOT)
        with pytest.raises(StellantisError) as original:
            await account.user()
    recorder.save(tmp_path / "a.json")
    replay = Recorder.replay(tmp_path / "a.json")
    async with client_of(simulator, transport=replay, clock=replay.now, retry=ONCE) as client:
        with pytest.raises(type(original.value)):
            await client.account(Token("other", None), brand=Brand.PEUGEOT).user()


async def test_a_renewal_of_a_token_is_replayed(tmp_path: Path) -> None:
    simulator = simulated(trips=1)
    recorder = Recorder(clock=simulator.now)
    async with client_of(simulator, transport=recorder.transport(simulator.transport())) as client:
        account = account_of(client, simulator)
        simulator.expire_tokens()
        await account.user()
    recorder.save(tmp_path / "a.json")
    replay = Recorder.replay(tmp_path / "a.json")
    async with client_of(simulator, transport=replay, clock=replay.now) as client:
        await client.account(Token("access", "refresh"), brand=Brand.PEUGEOT).user()
    assert replay.unused == ()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(200, content=b"<html>VF3EC2B9A00000000"), "not JSON"),
        (httpx.Response(200, content=b"[" * 100_000), "not JSON"),
        (httpx.Response(200, headers={"content-encoding": "gzip"}, content=None), None),
        (httpx.Response(200, json=["x" * 200]), "longer than 100 bytes"),
    ],
)
async def test_bodies_that_are_left_out_are_told(tmp_path: Path, answer: httpx.Response, why: str | None) -> None:
    document = json.loads(
        await record(lambda _: answer, tmp_path / "a.json", max_body=100_001 if why == "not JSON" else 100)
    )
    response = document["exchanges"][0]["response"]
    assert "json" not in response
    assert response.get("left_out", "").endswith(why or "")
    assert ("body" in document["privacy"]["replaced"]) == (why is not None)
    async with httpx.AsyncClient(transport=Recorder.replay(tmp_path / "a.json")) as client:
        if why is None:
            assert (await client.get(URL)).content == b""
        else:
            with pytest.raises(UnrecordedRequestError, match=f"which left it out: .*{why}"):
                await client.get(URL)


async def test_a_body_that_expands_is_left_out(tmp_path: Path) -> None:
    body = gzip.compress(b"0" * 10_000_000)
    assert len(body) < 10_000
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(body))
    text = await record(lambda _: answer, tmp_path / "a.json", max_body=10_000)
    assert "not read to its end, or longer than 10000 bytes" in text


@pytest.mark.parametrize(
    ("coding", "body"),
    [("br", b"{}"), ("gzip", b"{}"), ("gzip", gzip.compress(b"{}", mtime=0)[:-4]), ("deflate", b"\x00")],
)
async def test_a_body_that_cannot_be_decompressed_is_left_out(tmp_path: Path, coding: str, body: bytes) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": coding}, stream=httpx.ByteStream(body))

    recorder = Recorder()
    response = await recorder.transport(httpx.MockTransport(answer)).handle_async_request(httpx.Request("GET", URL))
    assert isinstance(response.stream, httpx.AsyncByteStream)
    assert b"".join([piece async for piece in response.stream]) == body
    recorder.save(tmp_path / "a.json")
    assert json.loads(read(tmp_path / "a.json"))["exchanges"][0]["response"]["left_out"] == "not JSON"


async def test_fields_of_the_connection_are_not_replayed() -> None:
    headers = [["Content-Encoding", "gzip"], ["Content-Length", "5"], ["transfer-encoding", "chunked"], ["a", "\xe9"]]
    exchange = RECORDED | {"response": {"status": 200, "headers": headers, "json": {"a": 1}}}
    document = {"format": "stellantis_hal recording", "version": 1, "exchanges": [exchange]}
    async with httpx.AsyncClient(transport=ReplayTransport(json.dumps(document).encode())) as client:
        response = await client.get(URL)
    assert (response.json(), response.headers.raw[0]) == ({"a": 1}, (b"a", b"\xe9"))
    assert "content-encoding" not in response.headers


async def test_nearest_requests_are_shown_in_one_plain_line() -> None:
    request = {"method": "GET", "url": f"{URL}\x1b[2J\n\ud800"}
    document = {"format": "stellantis_hal recording", "version": 1, "exchanges": [RECORDED | {"request": request}]}
    replay = ReplayTransport(json.dumps(document).encode())
    with pytest.raises(UnrecordedRequestError) as caught:
        await replay.handle_async_request(httpx.Request("GET", URL))
    assert str(caught.value).isprintable()
    assert all(line.isprintable() for line in (*caught.value.nearest, *replay.unused))


async def test_a_body_that_is_not_read_to_its_end_is_told(tmp_path: Path) -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x"

    recorder = Recorder()
    inner = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    response = await recorder.transport(inner).handle_async_request(httpx.Request("GET", URL))
    assert isinstance(response.stream, httpx.AsyncByteStream)
    assert await anext(aiter(response.stream)) == b"x"
    await response.aclose()
    await response.aclose()
    recorder.save(tmp_path / "a.json")
    assert "not read to its end" in read(tmp_path / "a.json")


async def test_a_long_body_reaches_the_client_whole(tmp_path: Path) -> None:
    class Chunks(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for _ in range(5):
                yield b"12"

    recorder = Recorder(max_body=3)
    inner = httpx.MockTransport(lambda _: httpx.Response(200, stream=Chunks()))
    async with httpx.AsyncClient(transport=recorder.transport(inner)) as client:
        assert (await client.get(URL)).content == b"12" * 5
    response = await recorder.transport(inner).handle_async_request(httpx.Request("GET", URL))
    await response.aclose()  # unread
    recorder.save(tmp_path / "a.json")
    assert read(tmp_path / "a.json").count("longer than 3 bytes") == 2


async def test_realms_in_paths_do_not_matter(tmp_path: Path) -> None:
    url = "https://idpcvs.peugeot.com/am/oauth2/realms/root/realms/{}/access_token"
    text = await record(lambda _: httpx.Response(200), tmp_path / "a.json", url.format("clientsB2CPeugeot"))
    assert "clientsB2CPeugeot" not in text
    async with httpx.AsyncClient(transport=Recorder.replay(tmp_path / "a.json")) as client:
        assert (await client.get(url.format("other"))).status_code == 200


async def test_compressed_bodies_reach_the_client_as_sent(tmp_path: Path) -> None:
    content = gzip.compress(b'{"total": 3}')
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    recorder = Recorder()
    inner = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(content)))
    async with httpx.AsyncClient(transport=recorder.transport(inner)) as client:
        assert (await client.get(URL)).json() == {"total": 3}
    recorder.save(tmp_path / "a.json")
    async with httpx.AsyncClient(transport=Recorder.replay(tmp_path / "a.json")) as client:
        assert (await client.get(URL)).json() == {"total": 3}


async def test_a_synchronous_stream_is_refused() -> None:
    class Synchronous(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=type("S", (httpx.SyncByteStream,), {})())

    with pytest.raises(TypeError, match="asynchronous"):
        await Recorder().transport(Synchronous()).handle_async_request(httpx.Request("GET", URL))


@pytest.mark.wall_clock
async def test_the_default_transport_is_httpx_own() -> None:
    async with Recorder().transport() as transport:
        with pytest.raises(httpx.ConnectError):
            await transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1:1/"))


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="words"):
        Recorder(words="orders")
    for content, message in (
        ("no", "no recording"),
        ("[]", "no recording"),
        ("[" * 100_000, "no recording"),
        ('{"format": "stellantis_hal recording", "version": 2}', "version 2"),
    ):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            Recorder.replay(tmp_path / "a.json")


RECORDED = {
    "at": "2026-03-01T12:00:00+00:00",
    "request": {"method": "GET", "url": URL},
    "response": {"status": 200, "headers": [["content-type", "application/json"]], "json": {}},
}


@pytest.mark.parametrize(
    "changed",
    [
        7,
        {"at": "soon"},
        {"at": "2026-03-01T12:00:00"},
        {"request": {"method": "GET"}},
        {"request": {"method": "GET", "url": 7}},
        {"response": {"status": 200}},
        {"response": {"status": 99, "headers": []}},
        {"response": {"status": 200, "headers": [["a", 7]]}},
        *[
            {"response": {"status": 200, "headers": [field]}}
            for field in (
                ["a", "b\r\nc: d"],
                ["a\n", "b"],
                ["", ""],
                ["na\xefve", "x"],
                ["a", "\ud800"],
                ["a", "\u4e2d"],
            )
        ],
        {"failure": 7},
    ],
)
def test_a_damaged_recording_is_refused(changed: Any) -> None:
    exchange = changed if changed == 7 else RECORDED | changed
    document = {"format": "stellantis_hal recording", "version": 1, "exchanges": [RECORDED, exchange]}
    with pytest.raises(ValueError, match="damaged at its exchange 1"):
        ReplayTransport(json.dumps(document).encode())
    with pytest.raises(ValueError, match="it has no list of exchanges"):
        ReplayTransport(json.dumps(document | {"exchanges": changed}).encode())


@pytest.mark.wall_clock
async def test_examples_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    simulator = simulated(trips=5)
    monkeypatch.setattr(httpx, "AsyncHTTPTransport", simulator.transport)
    simulated_names: dict[str, Any] = {
        "application": application_of(simulator),
        "token": token_of(simulator),
        "__name__": "guide",
    }
    connected = f"application, base_url={simulator.url!r}, identity_url={simulator.identity_url!r}"
    for line, block in steps_of(GUIDE):
        source = block.replace("application, transport", f"{connected}, transport")
        await run_block(GUIDE, line, source, simulated_names)
    assert len(simulated_names["distances"]) == 5
