"""A fleet over sockets: utilisation, 429s, lateness of polls and CPU time per poll.

Run it as ``python -m benchmarks.fleet_wire [--vehicles 2000] [--limit 100] [--seconds 60] [--latency 0.03]``. uvicorn
serves the simulator in its own process, with a latency of ``--latency`` and up to half as much more; the client
reserves nothing for interactive requests, so that the watch can use the whole limit. Three runs, about two and a half
times ``--seconds`` in all, after a warm-up of a minute and a half:

1. a bare loop: 64 tasks that await ``vehicle.status()`` in turn, over the same client;
2. a watch, as fast as allowed: utilisation (polls per limit), 429s, CPU time per poll compared with the loop;
3. a watch at an interval that needs 90 % of the limit: lateness of polls, after two polls of every vehicle.

Memory is that of the client's process, before the first watch and at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from benchmarks.harness.resident import resident_memory
from benchmarks.inputs.poll_loop import bare_loop
from stellantis_hal import Application, Brand, Token
from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.fleet import watch
from stellantis_hal.simulator import Faults, Latency, Simulator, SubscriptionLimits, World, server
from stellantis_hal.transport.hooks import Hooks, ResponseRecord
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits

PER_DAY = 50_000_000


def serve(options: argparse.Namespace) -> None:
    """Serve the simulator until terminated; print its URLs and tokens as JSON."""
    world = World(seed=3, accounts=options.vehicles // 20, vehicles=options.vehicles, trips=options.vehicles)
    latency = Latency(options.latency, options.latency / 2)
    simulator = Simulator(
        world,
        rate_limits=SubscriptionLimits(per_second=options.limit, per_day=PER_DAY),
        faults=Faults(latency=latency),
        token_lifetime=86_400.0,
    )
    running, listening = server(simulator)
    accounts = []
    for account in world.accounts:
        issued = simulator.token_for(account)
        accounts.append([account.key, account.domain, issued.access_token, issued.expires_at.timestamp()])
    print(json.dumps({"url": simulator.url, "identity": simulator.identity_url, "accounts": accounts}), flush=True)
    running.run(sockets=[listening])


async def measure_watch(
    accounts: list[Account], every: timedelta | None, seconds: float, warm_up: float
) -> dict[str, Any]:
    """Watch; return the measurements after the warm-up."""
    async with watch(accounts, every=every, what="status", adapt=None, concurrency=64) as updates:
        with anyio.move_on_after(warm_up):
            async for _ in updates:
                pass
        before, cpu = updates.statistics, time.process_time()
        updates._counts.delays.clear()
        with anyio.move_on_after(seconds):
            async for _ in updates:
                pass
        after = updates.statistics
        return {
            "polls": after.polls - before.polls,
            "cpu": time.process_time() - cpu,
            "vehicles": after.vehicles,
            "late": (after.lateness, after.lateness_p99, max(updates._counts.delays, default=0.0)),
            "errors": dict(after.errors),
        }


async def measure(options: argparse.Namespace, addresses: dict[str, Any]) -> bool:
    """Run the three parts and print their results; return whether there was no 429."""
    limiter = TokenBucketLimiter(RateLimits(options.limit, PER_DAY), interactive_share=0.0)
    refused = 0

    def on_response(record: ResponseRecord) -> None:
        nonlocal refused
        refused += record.status == 429

    async with StellantisClient(
        Application("simulated-client", "simulated-secret"),
        base_url=addresses["url"],
        identity_url=addresses["identity"],
        limiter=limiter,
        hooks=Hooks(on_response=on_response),
    ) as client:
        accounts = [
            client.account(
                Token(token, expires_at=datetime.fromtimestamp(expires, UTC)),
                brand=next(brand for brand in Brand if brand.domain == domain),
                key=key,
            )
            for key, domain, token, expires in addresses["accounts"]
        ]
        start = resident_memory()
        polls, cpu = await bare_loop(accounts, options.seconds / 2)
        bare = cpu / polls * 1e6
        print(f"bare loop: {polls} polls, {bare:.0f} us of CPU each")
        fast = await measure_watch(accounts, None, options.seconds, 1.1 * options.vehicles / options.limit + 5.0)
        share = fast["polls"] / options.seconds / options.limit
        each = fast["cpu"] / fast["polls"] * 1e6
        print(
            f"as fast as allowed, {fast['vehicles']} vehicles: {fast['polls']} polls in {options.seconds:.0f} s, "
            f"utilisation {share:.3f}, {each:.0f} us of CPU each, {each / bare:.2f} of the bare loop, {fast['errors']}"
        )
        every = options.vehicles / (0.9 * options.limit)
        steady = await measure_watch(accounts, timedelta(seconds=every), options.seconds, 2 * every + 5.0)
        median, p99, most = (seconds * 1e3 for seconds in steady["late"])
        print(
            f"every {every:.1f} s (90 % of the limit): {steady['polls']} polls in {options.seconds:.0f} s, "
            f"late by {median:.0f} ms (median), {p99:.0f} ms (p99), {most:.0f} ms (most), {steady['errors']}"
        )
        print(f"429s: {refused}; memory: {start:.0f} MiB before, {resident_memory():.0f} MiB after")
        return refused == 0


def main() -> int:
    """Start the server, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--vehicles", type=int, default=2_000)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--latency", type=float, default=0.03)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options)
        return 0
    command = [sys.executable, "-m", "benchmarks.fleet_wire", "--serve", "--vehicles", str(options.vehicles)]
    command += ["--limit", str(options.limit), "--latency", str(options.latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            succeeded = anyio.run(measure, options, json.loads(process.stdout.readline()))
        finally:
            process.terminate()
    return int(not succeeded)


if __name__ == "__main__":
    sys.exit(main())
