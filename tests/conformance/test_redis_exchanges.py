"""The script of an exchange in Redis and its counterpart in Python return the same for the same exchanges."""

import random

import pytest

from stellantis_hal.storage.redis import RedisConnection
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.redis import arguments_of, ledger_script, parse_reply
from stellantis_hal.transport.rate_limit.shared_ledger import LedgerReply, LedgerRequest, SharedLedger
from tests.conformance.redis_server import RedisServer
from tests.support.ledger_exchanges import RECORDED
from tests.support.shared_processes import Scene

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]

KEYS = ["{exchanges}:tokens", "{exchanges}:day", "{exchanges}:state", "{exchanges}:processes"]


def _played(seed: int) -> list[tuple[LedgerRequest, int, LedgerReply]]:
    """Return exchanges of processes that come, die, pause, lose replies and fall behind, and the replies to them."""
    chance = random.Random(seed)
    ledger, exchanges = SharedLedger(), list[tuple[LedgerRequest, int, LedgerReply]]()
    jump = 0

    def take(exchange: LedgerRequest, clock: int) -> LedgerReply | None:
        reply = ledger.take(exchange, clock + jump)
        exchanges.append((exchange, clock + jump, reply))
        return None if chance.random() < 0.03 else reply

    limits = RateLimits(chance.choice([1, 3, 20, 100]), chance.choice([None, 15, 100_000]))
    scene = Scene(take, seed=seed, processes=3, limits=limits, server_limit=chance.choice([2, 15, 20, 1000]))
    for player in scene.players:
        player.wants, player.background = chance.choice([0, 2, 30]), chance.choice([0, 2, 30])
    for _ in scene.run(12.0):
        event, player = chance.random(), chance.choice(scene.players)
        if event < 0.001:
            player.is_dead = not player.is_dead
        elif event < 0.002 and not player.is_dead:
            scene.exchange(player, pause=chance.choice([0.02, 0.5]))
        elif event < 0.0025 and not player.is_dead:
            scene.exchange(player, leaving=True)
        elif event < 0.003:
            player.book.change_ledger(is_shared=True)
        elif event < 0.0035:
            jump += chance.choice([-3_000_000, 200_000, 2_000_000, 70_000_000])
    return exchanges


@pytest.mark.parametrize("seed", range(12))
async def test_script_and_python_agree(seed: int, redis_server: RedisServer) -> None:
    script = ledger_script()
    async with RedisConnection(redis_server.url) as redis:
        for number, (exchange, clock, expected) in enumerate(_played(seed)):
            reply = parse_reply(await redis.run(script, KEYS, arguments_of(exchange, clock)))
            found = reply if exchange.epoch else _sorted(reply)
            assert found == (expected if exchange.epoch else _sorted(expected)), (number, exchange)


@pytest.mark.parametrize("play", RECORDED)
async def test_script_returns_the_recorded_replies(play: str, redis_server: RedisServer) -> None:
    script = ledger_script()
    async with RedisConnection(redis_server.url) as redis:
        for number, (clock, exchange, expected) in enumerate(RECORDED[play]):
            reply = parse_reply(await redis.run(script, KEYS, arguments_of(exchange, clock)))
            assert _sorted(reply) == _sorted(expected), (number, exchange)


def _sorted(reply: LedgerReply) -> LedgerReply:
    from attrs import evolve

    return evolve(reply, minutes=tuple(sorted(reply.minutes)))
