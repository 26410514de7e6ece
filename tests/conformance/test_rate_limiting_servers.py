"""Rate limits of nginx and haproxy, which state none of their limits, over sockets.

It needs ``nginx`` (with its Lua module for the sliding window) and ``haproxy``, as Debian packages them.
"""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import anyio
import attrs
import pytest

from stellantis_hal import RateLimits, TokenBucketLimiter
from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.hooks import Hooks, ResponseRecord
from stellantis_hal.transport.session import Session
from tests.conformance.processes import free_port, running

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]

SECONDS = float(os.environ.get("STELLANTIS_HAL_RATE_LIMIT_SECONDS", "90"))
WARM_UP = 10.0
CLOSED_BY_A_CROWD = 10.0
"""Seconds after the first ten for which haproxy serves nothing to 20 tasks that a limit of 100 a second lets go.

It counts what it refuses: 20 requests and three retries in the first 10 s are more than 8 until the 17th second
(23 x (20 - t) / 10 <= 7), and the next retry is in the 19th.
"""
TASKS = 20
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
NGINX = shutil.which("nginx", path=_PATH)
HAPROXY = shutil.which("haproxy", path=_PATH)
LUA = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
_NGINX = """
daemon off; master_process off; error_log /dev/null; pid {folder}/nginx.pid;
{modules}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {http}
    server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }}
}}
"""
_LIMIT_REQ = "limit_req_zone $binary_remote_addr zone=one:1m rate=5r/s; limit_req_status 429;"
_BODY = 'default_type application/json; try_files /none @body; } location @body { return 200 "{}";'
_SLIDING = """
access_by_lua_block {
    local shared, now = ngx.shared.window, ngx.now()
    while true do
        local oldest = shared:lpop("times")
        if not oldest then break end
        if oldest > now - 10 then
            shared:lpush("times", oldest)
            break
        end
    end
    if (shared:llen("times") or 0) >= 20 then return ngx.exit(429) end
    shared:rpush("times", now)
}
content_by_lua_block { ngx.header["Content-Type"] = "application/json" ngx.print("{}") }
"""
_HAPROXY = """
global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend limited
    bind 127.0.0.1:{port}
    stick-table type ip size 1k expire 60s store http_req_rate(10s)
    http-request track-sc0 src
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 8 }}
    http-request return status 200 content-type application/json string "{{}}"
"""


@contextmanager
def _nginx(folder: Path, location: str, *, http: str = "", modules: str = "") -> Generator[str]:
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(_NGINX.format(folder=folder, port=port, location=location, http=http, modules=modules))
    with running([str(NGINX), "-c", str(settings), "-p", str(folder), "-e", "/dev/null"], port) as url:
        yield url


@contextmanager
def _limit_req(folder: Path, options: str) -> Generator[str]:
    with _nginx(folder, f"limit_req zone=one {options}; {_BODY}", http=_LIMIT_REQ) as url:
        yield url


@contextmanager
def _sliding_window(folder: Path) -> Generator[str]:
    modules = f"load_module {LUA.with_name('ndk_http_module.so')}; load_module {LUA};"
    with _nginx(folder, _SLIDING, http="lua_shared_dict window 1m;", modules=modules) as url:
        yield url


@contextmanager
def _haproxy(folder: Path) -> Generator[str]:
    port = free_port()
    settings = folder / "haproxy.cfg"
    settings.write_text(_HAPROXY.format(port=port))
    with running([str(HAPROXY), "-f", str(settings), "-db"], port) as url:
        yield url


@attrs.frozen
class Load:
    """What a load met.

    Attributes:
        served: requests served after the first ten seconds.
        refused: requests refused after them.
        errors: of tasks that had a minute for each request.
    """

    served: int
    refused: int
    errors: list[StellantisError]


async def load(url: str, limiter: TokenBucketLimiter | None) -> Load:
    """Send requests by tasks that each have 60 s for a request."""
    start = anyio.current_time()
    statuses: list[int] = []
    errors: list[StellantisError] = []

    def count(record: ResponseRecord) -> None:
        if start + WARM_UP <= anyio.current_time() < start + SECONDS:
            statuses.append(record.status)

    async with Session(Origins(url), limiter=limiter, hooks=Hooks(on_response=count)) as session:
        fetch = session.pipeline(max_wait=60.0)

        async def one() -> None:
            while anyio.current_time() < start + SECONDS:
                try:
                    await fetch(Request(url=f"{url}/thing"))
                except StellantisError as error:
                    errors.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(TASKS):
                group.start_soon(one)
    return Load(statuses.count(200), statuses.count(429), errors)


SERVERS: dict[str, tuple[Callable[[Path], AbstractContextManager[str]], float]] = {
    "nginx": (lambda folder: _limit_req(folder, "burst=5"), 5.0),
    "nginx without delay": (lambda folder: _limit_req(folder, "burst=5 nodelay"), 5.0),
    "sliding window": (_sliding_window, 2.0),
    "haproxy": (_haproxy, 0.8),
}


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.skipif(not LUA.exists(), reason="nginx has no Lua module (libnginx-mod-http-lua)")
@pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_unstated_limits_are_found_and_kept(tmp_path: Path) -> None:
    """At most 10 % are refused after 10 s, no task fails, and at least 80 % of what each server allows is used.

    All servers at once, without a limiter, and with one of 100 requests per second.
    """
    met: dict[tuple[str, bool], Load] = {}

    async def one(name: str, limited: bool, url: str) -> None:
        met[name, limited] = await load(url, TokenBucketLimiter(RateLimits(100, None)) if limited else None)

    with ExitStack() as stack:
        urls: dict[tuple[str, bool], str] = {}
        for name, (serve, _) in SERVERS.items():
            for limited in (False, True):
                folder = tmp_path / str(len(urls))
                folder.mkdir()
                urls[name, limited] = stack.enter_context(serve(folder))
        async with anyio.create_task_group() as group:
            for (name, limited), url in urls.items():
                group.start_soon(one, name, limited, url)
    assert [error for each in met.values() for error in each.errors] == []
    refused = {key: each.refused / (each.served + each.refused) for key, each in met.items()}
    used: dict[tuple[str, bool], float] = {}
    for (name, limited), each in met.items():
        closed = CLOSED_BY_A_CROWD if name == "haproxy" and limited else 0.0
        used[name, limited] = each.served / (SERVERS[name][1] * (SECONDS - WARM_UP - closed))
    assert max(refused.values()) <= 0.1, (refused, used)
    assert min(used.values()) >= 0.8, (refused, used)
