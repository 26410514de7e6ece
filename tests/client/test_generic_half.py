"""The border of the generic half: a HAL client loads nothing of the vendor's half."""

import subprocess
import sys

VENDORS_HALF = ("vendor", "auth", "resources", "notifications", "client", "fleet", "cli")

# Follow, items, pages, post, an error and a retry, with credentials and a limiter.
PROGRAM = """
import sys

import anyio
import httpx

from stellantis_hal import HalClient, NotFoundError, RateLimits, RetryPolicy, TokenBucketLimiter

attempts = 0


def answer(request):
    global attempts
    path = request.url.path
    if path == "/api":
        links = {"self": {"href": "/api"}, "orders": {"href": "/api/orders"}, "lost": {"href": "/api/lost"}}
        return httpx.Response(200, json={"_links": links})
    if path == "/api/orders" and request.method == "POST":
        return httpx.Response(201, headers={"location": "/api/orders/3"})
    if path == "/api/orders":
        attempts += 1
        if attempts == 1:
            return httpx.Response(503)
        orders = [{"_links": {"self": {"href": f"/api/orders/{number}"}}, "number": number} for number in (1, 2)]
        return httpx.Response(200, json={"_embedded": {"order": orders}})
    if path == "/api/orders/3":
        return httpx.Response(200, json={"number": 3})
    return httpx.Response(404, json={"message": "gone"})


async def main():
    async with HalClient(
        "https://orders.test/api",
        auth=httpx.BasicAuth("user", "password"),
        limiter=TokenBucketLimiter(RateLimits(10, 1000)),
        retry=RetryPolicy(attempts=2, initial=0.01),
        transport=httpx.MockTransport(answer),
    ) as client:
        orders = await client.follow("orders")
        assert [order["number"] async for order in orders.items("order")] == [1, 2]
        assert [page.number async for page in orders.pages("order")] == [1]
        await orders.post(json={"number": 3})
        try:
            await client.follow("lost")
        except NotFoundError as error:
            assert error.status == 404
        else:
            raise AssertionError
        assert client.limiter.statistics.granted >= 5
    assert attempts >= 2


anyio.run(main)
ours = sorted(name for name in sys.modules if name.startswith("stellantis_hal."))
print(len(ours), *ours)
"""


def test_hal_client_loads_no_module_of_the_vendors_half() -> None:
    """In a fresh process, from the import of the face to the end of a program."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    number, *loaded = done.stdout.split()
    foreign = [name for name in loaded if name.split(".")[1] in VENDORS_HALF]
    print(f"HalClient loads {len(foreign)} modules of the vendor's half, and {number} of the package")
    assert foreign == []
    assert "stellantis_hal.hal_client" in loaded
