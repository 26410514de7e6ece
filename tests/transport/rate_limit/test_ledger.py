"""What was spent survives a restart."""

import os
import tempfile
import threading
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.rate_limit.ledger import FileLimiterStore, QuotaLedger
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.limits import RateLimits
from stellantis_hal.transport.rate_limit.protocol import RateLimiter
from stellantis_hal.transport.rate_limit.quota import Quota, Window
from tests.transport.doubles import wall

pytestmark = pytest.mark.anyio


class MemoryStore:
    """Keeps books for the next limiter, and breaks when told to."""

    def __init__(self, content: bytes | None = None, *, broken: bool = False, slow: bool = False) -> None:
        self.content = content
        self.broken = broken
        self.slow = slow
        self.saves = 0
        self.loads = 0

    async def load(self) -> bytes | None:
        self.loads += 1
        await anyio.sleep(1000 if self.slow else 0)
        if self.broken:
            raise OSError("unreadable")
        return self.content

    async def save(self, content: bytes) -> None:
        self.saves += 1
        if self.slow:
            await anyio.sleep(1000)
        if self.broken:
            raise OSError("unwritable")
        self.content = content


def limiter(store: MemoryStore | FileLimiterStore, *, per_day: int = 10) -> TokenBucketLimiter:
    return TokenBucketLimiter(RateLimits(5, per_day), store=store, save_every=30.0, clock=wall)


async def spend(rates: RateLimiter, count: int = 1) -> None:
    for _ in range(count):
        async with rates.slot() as slot:
            slot.sent()
            slot.answered()


async def test_a_restart_in_mid_day_goes_on_with_what_is_left() -> None:
    store = MemoryStore()
    before = limiter(store)
    await spend(before, 4)
    await before.save()
    after = limiter(store)
    await spend(after)
    assert after.statistics.free_today == 10 - 4 - 1


async def test_right_after_a_restart_the_first_second_is_left_to_the_former_process() -> None:
    store = MemoryStore()
    before = limiter(store)
    await spend(before)
    await before.save()
    start = anyio.current_time()
    await spend(limiter(store))
    assert anyio.current_time() >= start + 1.0


async def test_long_after_it_nothing_is_held_back() -> None:
    store = MemoryStore()
    before = limiter(store)
    await spend(before)
    await before.save()
    await anyio.sleep(60)
    start = anyio.current_time()
    await spend(limiter(store))
    assert anyio.current_time() < start + 0.5


async def test_the_store_is_read_once_by_however_many_tasks() -> None:
    store = MemoryStore()
    rates = limiter(store)
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(spend, rates)
    assert store.loads == 1


async def test_books_are_saved_now_and_then() -> None:
    store = MemoryStore()
    rates = limiter(store)
    await spend(rates, 2)
    assert store.saves == 0
    await anyio.sleep(30)
    await spend(rates, 2)
    assert store.saves == 1


async def test_books_are_saved_each_half_minute_unless_it_was_told_otherwise() -> None:
    store = MemoryStore()
    rates = TokenBucketLimiter(store=store, clock=wall)
    await spend(rates)
    await anyio.sleep(30.5)
    await spend(rates)
    assert store.saves == 1


async def test_nothing_is_saved_before_anything_was_booked() -> None:
    store = MemoryStore()
    await limiter(store).save()
    assert store.saves == 0


async def test_without_a_store_saving_does_nothing() -> None:
    await TokenBucketLimiter(clock=wall).save()


async def test_a_store_that_cannot_be_read_is_reported_and_done_without(caplog: pytest.LogCaptureFixture) -> None:
    rates = limiter(MemoryStore(broken=True))
    await spend(rates)
    assert "could not be read: OSError" in caplog.text


async def test_a_store_that_cannot_be_written_is_reported_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    rates = limiter(store)
    await spend(rates)
    store.broken = True
    await rates.save()
    assert "could not be saved: OSError" in caplog.text
    store.broken = False
    await rates.save()
    assert store.content is not None


async def test_a_store_that_hangs_is_left_alone_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    start = anyio.current_time()
    rates = limiter(MemoryStore(slow=True))
    await spend(rates)
    assert anyio.current_time() == pytest.approx(start + 10.0, abs=0.5)
    assert "not read within 10.0 s" in caplog.text
    await rates.save()
    assert anyio.current_time() == pytest.approx(start + 20.0, abs=0.5)
    assert "not saved within 10.0 s" in caplog.text


FOREIGN = [
    b"",
    b"\xff",
    b"[]",
    b"null",
    b"{}",
    b'{"format":2}',
    b'{"format":1,"saved":0,"minutes":[1]}',
    b'{"format":1,"saved":[],"minutes":[]}',
    b'{"format":1,"saved":1,"minutes":[["a",1]]}',
]


@pytest.mark.parametrize("content", FOREIGN)
async def test_books_that_nobody_can_read_are_reported_and_begun_anew(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    rates = limiter(MemoryStore(content))
    await spend(rates)
    assert "could not be understood" in caplog.text
    assert rates.statistics.free_today == 9


def test_a_background_request_waits_for_what_is_beyond_the_share() -> None:
    books = QuotaLedger(RateLimits(2, None), interactive_share=0.5)
    books.answered(0.0, books.take(0.0, background=False), None)
    assert books.instant(0.0, 0.0, background=False) == 0.0
    assert books.instant(0.0, 0.0, background=True) == pytest.approx(1.002)


def test_a_background_request_waits_for_what_is_beyond_the_share_of_the_day() -> None:
    books = QuotaLedger(RateLimits(None, 2), interactive_share=0.5)
    books.settle(0.0, 0.0)
    books.answered(0.0, books.take(0.0, background=False), None)
    assert books.instant(0.0, 0.0, background=False) == 0.0
    assert books.instant(0.0, 0.0, background=True) == 60 + 86_400


def test_an_interactive_request_need_not_wait_while_its_share_is_left() -> None:
    books = QuotaLedger(RateLimits(2, None), interactive_share=0.5)
    books.answered(0.0, books.take(0.0, background=False), None)
    assert books.estimate(0.0, 0.0, ahead=0, background=False) == 0.0
    assert books.estimate(0.0, 0.0, ahead=0, background=True) == pytest.approx(1.002)


@pytest.mark.parametrize(("wall", "free"), [(95.1, False), (95.0, True), (104.9, False), (105.0, True)])
def test_who_has_just_saved_may_have_sent_a_moment_ago(wall: float, *, free: bool) -> None:
    books = QuotaLedger(RateLimits(2, None), interactive_share=0.0)
    books.load(b'{"format":1,"saved":100,"minutes":[]}', 0.0, wall)
    assert (books.take(0.0, background=False) >= 0) is free


def test_a_pause_is_over_at_its_end() -> None:
    books = QuotaLedger(RateLimits(2, None), interactive_share=0.0)
    books.pause(0.0, 8.0)
    assert [books.take(now, background=False) >= 0 for now in (7.9, 8.0)] == [False, True]


@pytest.mark.parametrize(("seconds", "ahead", "instant"), [(10.0, 0, 10.0), (10.0, 3, 11.0), (0.5, 0, 0.5)])
def test_after_a_pause_the_queue_is_served_in_rounds(seconds: float, ahead: int, instant: float) -> None:
    books = QuotaLedger(RateLimits(2, None), interactive_share=0.0)
    books.pause(0.0, seconds)
    assert books.estimate(0.0, 0.0, ahead=ahead, background=False) == instant


@pytest.mark.parametrize(("ahead", "instant"), [(0, 7.0), (1, 7.0 + 60 + 86_400)])
def test_the_place_in_the_queue_may_lie_beyond_the_day(ahead: int, instant: float) -> None:
    books = QuotaLedger(RateLimits(None, 2), interactive_share=0.0)
    books.settle(7.0, 6000.0)
    books.take(7.0, background=False)
    assert books.estimate(7.0, 6000.0, ahead=ahead, background=False) == instant


def test_books_of_another_format_are_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match="format 2"):
        QuotaLedger(None, interactive_share=0.0).load(b'{"format":2}', 0.0, 0.0)


def test_the_share_left_to_interactive_requests_follows_a_corrected_limit() -> None:
    books = QuotaLedger(None, interactive_share=0.5)
    books.correct(0.0, 0.0, Quota(burst=Window(4, 4)), returned_at_sending=0)
    assert [books.take(0.0, background=True) >= 0 for _ in range(3)] == [True, True, False]


@given(st.binary() | st.sampled_from(FOREIGN))
def test_loading_anything_raises_nothing_but_value_errors(content: bytes) -> None:
    books = QuotaLedger(None, interactive_share=0.0)
    try:
        books.load(content, 0.0, 0.0)
    except ValueError:
        assert books.day.spent == 0


@pytest.mark.parametrize(("content", "reason"), [(b'{"format":2}', "books of format 2"), (b"{}", "no books of ours")])
async def test_why_books_cannot_be_understood_is_reported(
    content: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    await spend(limiter(MemoryStore(content)))
    assert f"starting anew: {reason}" in caplog.text


@given(st.lists(st.floats(0.0, 3600.0), max_size=50))
def test_books_dumped_and_loaded_have_spent_the_same(pauses: list[float]) -> None:
    books = QuotaLedger(RateLimits(None, 1000), interactive_share=0.0)
    wall = 1_000_000.0
    for pause in pauses:
        wall += pause
        books.settle(0.0, wall)
        books.take(0.0, background=False)
    again = QuotaLedger(RateLimits(None, 1000), interactive_share=0.0)
    again.load(books.dump(wall), 0.0, wall)
    assert again.day.minutes() == books.day.minutes()
    assert again.day.spent == books.day.spent


@pytest.mark.wall_clock
async def test_a_file_keeps_the_books(tmp_path: Path) -> None:
    store = FileLimiterStore(tmp_path / "books.json")
    assert await store.load() is None
    await store.save(b"one")
    await store.save(b"two")
    assert await store.load() == b"two"
    assert os.listdir(tmp_path) == ["books.json"]


@pytest.mark.wall_clock
async def test_a_file_that_cannot_take_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "books.json").mkdir()
    with pytest.raises(OSError, match="books"):
        await FileLimiterStore(tmp_path / "books.json").save(b"one")
    assert os.listdir(tmp_path) == ["books.json"]


@pytest.mark.wall_clock
async def test_a_file_that_cannot_even_be_cleared_away_is_told_by_its_first_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlink(name: str) -> None:
        raise OSError("another reason")

    (tmp_path / "books.json").mkdir()
    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(OSError, match=r"books\.json"):
        await FileLimiterStore(tmp_path / "books.json").save(b"one")


@pytest.mark.wall_clock
async def test_a_file_is_written_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    store = FileLimiterStore(tmp_path / "books.json")
    await store.save(b"one")
    assert await store.load() == b"one"


@pytest.mark.wall_clock
async def test_a_file_that_cannot_be_read_on_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(path: Path) -> bytes:
        released.wait(5.0)
        return b"late"

    monkeypatch.setattr(Path, "read_bytes", hang)
    with anyio.move_on_after(0.05) as bound:
        await FileLimiterStore(tmp_path / "books.json").load()
    released.set()
    assert bound.cancelled_caught
