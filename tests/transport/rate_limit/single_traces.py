"""Traces of one process's windows, their limits, congestion, and the ledger of all of them."""

# ruff: noqa: PLR0915 - a statement or two for each kind of call

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import attrs

from stellantis_hal.hal.json import encode
from stellantis_hal.transport.rate_limit.burst_window import BurstWindow
from stellantis_hal.transport.rate_limit.congestion import CongestionControl
from stellantis_hal.transport.rate_limit.day_window import DayWindow
from stellantis_hal.transport.rate_limit.effective_limit import EffectiveLimit
from stellantis_hal.transport.rate_limit.min_round_trip import MinRoundTrip
from stellantis_hal.transport.rate_limit.protocol import REFUSAL, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.rate_limit.single_process_ledger import QuotaLedger
from tests.transport.rate_limit.trace_steps import SLOT, Trace, in_parts, move, step_of, text_of

__all__ = ["SINGLE_TRACES"]

# --------------------------------------------------------------------------------------------------- the windows


def _burst(seed: int, limit: int | None, ceiling: int | None = None, span: float = 1.0, steps: int = 1_500) -> Trace:
    def trace() -> Iterator[str]:
        random, now = Random(seed), 0.0
        window = BurstWindow(limit, ceiling=ceiling, span=span)
        held = 0
        under_way: list[tuple[int, float, int]] = []
        for step in range(steps):
            if step % 150 == 149:
                window, now, held = BurstWindow(limit, ceiling=ceiling, span=span), 0.0, 0
                under_way.clear()
            now = move(random, now, window.changes_at)
            has_lapsed = window.advance(now)
            act = random.randrange(16)
            returned: Any = None
            call = "wait"
            if act < 5 and window.available() >= 1:
                window.take()
                held += 1
                call = "take"
            elif act < 9 and held:
                number = window.sent(now)
                under_way.append((number, now, window.returned))
                held -= 1
                call, returned = "send", number
            elif act < 12 and under_way:
                number, sent_at, _ = under_way.pop(random.randrange(len(under_way)) if act == 11 else 0)
                call = f"answer {number}"
                window.answered(now, None if random.randrange(5) == 0 else now - sent_at, number)
            elif act == 12 and held:
                held -= 1
                call = "give back"
                window.give_back()
            elif act == 12 and under_way:
                number, *_ = under_way.pop()
                call = f"give back {number}"
                window.give_back(number)
            elif act == 13 and under_way:
                _, sent_at, before = under_way[0]
                sent_at = random.choice([sent_at, now])
                stated = random.choice([None, 0, 1, 2, 3, 5, 5, 5, 40])
                remaining = random.choice([None, 0, 0, 1, 2, 5])
                call = f"correct {stated} {remaining}"
                returned = window.correct(now, stated, remaining, returned_at_sending=before, sent_at=sent_at)
            elif act == 14 and random.randrange(6) == 0:
                call = "hold"
                window.hold(now)
            elif act == 14 and random.randrange(6) == 0:
                call = "answer an unknown"
                window.take()
                window.answered(now, 0.25)
            elif act == 15 and random.randrange(12) == 0:
                call = "lapse"
                now += 900.0 if random.randrange(2) else 450.0
                returned = window.advance(now)
            yield step_of(
                call,
                (has_lapsed, returned),
                now,
                window.limit,
                window.in_flight,
                window.overdue,
                window.taken,
                window.returned,
                window.external,
                window.external_until,
                window.changes_at,
                window.available(),
                window.smallest_round_trip,
                window.stated_limit(now),
                window.next_overdue(),
                [window.available_at(count, now) for count in range(6)],
                [window.estimate(count, now) for count in (1, 3, 4, 6, 7, 11)],
            )

    return trace


def _steady(limit: int | None, requests: int, *, every: float = SLOT, span: float = 1.0, trip: float = 0.25) -> Trace:
    """Return round trips on a path that becomes longer, and shorter again when the samples are forgotten."""

    def trace() -> Iterator[str]:
        window, trips = BurstWindow(limit, span=span), MinRoundTrip()
        now = 100.0
        for number in range(requests):
            window.take()
            sending = window.sent(now)
            seconds = trip + (number % 8) / 64 + (0.5 if 1_000 < number < 4_400 else 0.0)
            seconds = -0.125 if number == 290 else seconds
            window.advance(now)
            window.answered(now + seconds, seconds, sending)
            trips.record(now + seconds, seconds)
            if number % 2_000 in range(298, 304) or number < 140 or number > requests - 140 or number % 100 == 0:
                yield step_of(
                    f"{number}",
                    seconds,
                    window.smallest_round_trip,
                    window.changes_at - now,
                    window.available(),
                    trips.smallest,
                    [trips.trusted(at) for at in (now, math.nextafter(102.25, 0.0), 102.25)],
                    window.available_at(int(max(0.0, window.available())) + 5, now) - now if limit else "",
                )
            now += every
            if number in (300, 4_500):
                window.forget_round_trips()
                trips.forget()

    return trace


def _day(seed: int, limit: int | None, ceiling: int | None = None, steps: int = 80, start: float = 0.0) -> Trace:
    def trace() -> Iterator[str]:
        random, now = Random(seed), start
        window = DayWindow(limit, ceiling=ceiling)
        booked: list[int] = []
        restored: list[dict[int, int]] = []
        for step in range(steps):
            kind = random.randrange(12)
            if kind < 3:
                now = window.current_until
            elif kind == 3:
                now = math.nextafter(window.current_until, -math.inf)
            elif kind == 4:
                now = math.nextafter(window.current_from, -math.inf)
            elif kind == 5:
                now += 60.0 * random.choice([1, 7, 300, 1_440, 1_441, 1_442])
            elif kind == 6 and random.randrange(4) == 0:
                now -= 60.0 * random.choice([1, 300, 1_440, 1_441, 1_442, 3_000])
            elif kind == 7 and window.external:
                now = window.external_until
            elif kind == 8:
                now += random.randrange(60)
            has_lapsed = window.advance(now)
            act = random.randrange(12)
            returned: Any = None
            call = "wait"
            if act < 4 and window.available() >= 1:
                returned = window.take()
                booked.append(returned)
                call = "take"
            elif act == 4 and booked:
                minute = booked.pop(random.randrange(len(booked)))
                window.give_back(minute)
                call = f"give back {minute}"
            elif act < 7 and booked:
                minute = booked.pop(0)
                window.answered(minute)
                call = f"answer {minute}"
            elif act < 9:
                stated, remaining = random.choice([None, 0, 1, 4, 9, 9, 9, 30]), random.choice([None, 0, 0, 3, 9])
                sent_at, in_flight = now - random.choice([0.0, 0.5, 2_000.0]), random.randrange(3)
                call = f"correct {stated} {remaining} {sent_at:g} {in_flight}"
                returned = window.correct(now, stated, remaining, sent_at=sent_at, in_flight=in_flight)
            elif act == 9:
                minutes = {
                    window.minute - age: random.randrange(-1, 3) for age in (-1, 0, 1, 5, 700, 1_439, 1_440, 1_441)
                }
                if random.randrange(2) == 0:
                    window.restore(minutes, now)
                    restored.append(minutes)
                    call = f"restore {text_of(minutes)}"
                elif restored:
                    window.withdraw(restored.pop())
                    call = "withdraw"
            yield step_of(
                call,
                (has_lapsed, returned),
                now,
                window.limit,
                window.spent,
                window.external,
                window.external_until,
                window.minute,
                window.current_from,
                window.current_until,
                window.available(),
                window.minutes() if step % 8 == 0 else "",
                [window.available_at(count, now) for count in (1, 3, random.choice([0, 2, 5, 9, 10, 11, 12, 13, 31]))],
            )

    return trace


def _limit(seed: int, configured: int | None, ceiling: int | None) -> Trace:
    def trace() -> Iterator[str]:
        random, now = Random(seed), 0.0
        limit = EffectiveLimit(configured, ceiling)
        for _ in range(200):
            now += random.choice([0.0, 1.0, 450.0, 899.0, 900.0])
            if random.randrange(6) == 0:
                limit.lapse()
                call, returned = "lapse", None
            else:
                stated, sent_at = random.choice([1, 2, 2, 2, 7]), now - random.choice([0.0, 1.0, 450.0])
                exhausted = random.randrange(3) == 0
                call = f"state {stated} {sent_at:g} {exhausted}"
                returned = limit.state(now, stated, sent_at=sent_at, exhausted=exhausted)
            yield step_of(
                call,
                returned,
                now,
                limit.value,
                limit.confirmed,
                limit.lapses_at,
                [limit.stated(now + later) for later in (0.0, 899.5, 900.0)],
            )

    return trace


# ----------------------------------------------------------------------------------------------------- congestion


def _of_congestion(control: CongestionControl, now: float) -> list[Any]:
    """Return the state of a control, and what it answers."""
    return [
        control.rate,
        control.window,
        control.is_refused,
        [control.allows(now, in_flight) for in_flight in (0, 1, 2, 9, 70)],
        [control.available_at(now, in_flight) for in_flight in (0, 1, 5)],
        [control.estimate(now, ahead) for ahead in (0, 1, 20)],
    ]


def _congestion(seed: int, windows: tuple[float, ...], steps: int = 2_000) -> Trace:
    """Return what any calls do, in any order, on one control after the other."""

    def trace() -> Iterator[str]:
        random, now = Random(seed), 10.0
        control, life = CongestionControl(windows[0]), 0
        sent: list[float] = []
        refused_at = ended_at = -math.inf
        for _ in range(steps):
            if random.randrange(life + 20) == 0:
                control, life, now = CongestionControl(random.choice(windows)), random.choice([0, 20, 100]), 10.0
                sent.clear()
            kind = random.randrange(9)
            if kind < 2:
                now = max(now, min(control.available_at(now, 0), now + 1_000.0))
            elif kind < 6:
                now += random.choice([0.0625, 0.25, 0.5, 1.0])
            elif kind == 6 and random.randrange(9) == 0:
                now = max(now, refused_at + random.choice([899.0, 900.0]), ended_at + 1.0 + 2 / control.rate)
            act = random.randrange(20)
            returned: Any = None
            call = "wait"
            if act < 6:
                call = f"try {len(sent)}"
                if returned := control.try_take(now, len(sent)):
                    sent.append(now)
                    ended_at = now
            elif act == 6 and random.randrange(3) == 0:
                call = "take"
                control.take(now)
                sent.append(now)
                ended_at = now
            elif act < 13 and sent:
                sent_at = sent.pop(0)
                stated, limit = random.choice([math.inf, math.inf, 3.0, 50.0]), random.choice([math.inf, 2.0, 8.0])
                call = f"succeed {sent_at:g} {stated} {limit}"
                control.succeeded(now, sent_at, stated=stated, limit=limit)
                ended_at = now
            elif act == 13 and sent:
                sent_at = random.choice([sent.pop(0), refused_at])
                call = f"refuse {sent_at:g}"
                control.refused(now, sent_at)
                refused_at = now
            elif act == 14 and sent:
                sent.pop()
                call = "give back"
                control.give_back()
            elif act == 15 and random.randrange(3) == 0:
                call = "refuse unless refused"
                control.ensure_refused(now)
                refused_at = now
            elif act == 16:
                call = "back off"
                returned = control.back_off(random.choice([0.5, 1.0, 2.0]))
            elif act == 17 and random.randrange(2) == 0:
                call = "widen"
                control.widen(random.choice([1, 3, 60]))
            elif act == 18 and random.randrange(8) == 0:
                call = "restart"
                control.restart(now)
            elif act == 18:
                call = "lift"
                returned = control.lift()
            yield step_of(call, returned, now, *_of_congestion(control, now))

    return trace


def _server(serves: float, *, pause: float, limit: float = math.inf, stated: float = math.inf, window: float) -> Trace:
    """Return what happens at a server that refuses whenever its window of a second is full, and asks for a pause."""

    def trace() -> Iterator[str]:
        control = CongestionControl(window)
        now, paused_until, arrivals = 0.0, 0.0, list[float]()
        under_way: list[tuple[float, bool]] = []
        for step in range(1_500):
            while under_way and under_way[0][0] <= now - 0.0625:
                sent_at, is_served = under_way.pop(0)
                if is_served:
                    control.succeeded(now, sent_at, stated=stated, limit=limit)
                elif now >= paused_until:
                    control.refused(now, sent_at)
                    paused_until = now + control.back_off(pause)
            if now >= paused_until and step % 400 < 350 and control.try_take(now, len(under_way)):
                arrivals = [at for at in arrivals if at > now - 1.0]
                is_served = len(arrivals) < serves
                if is_served:
                    arrivals.append(now)
                under_way.append((now, is_served))
            if step % 5 == 0:
                yield step_of("", len(under_way), now, paused_until, *_of_congestion(control, now))
            now += SLOT

    return trace


# --------------------------------------------------------------------------------------------- the ledger of a process


def _ledger(seed: int, limits: RateLimits | None, *, share: float = 0.25, steps: int = 120) -> Trace:
    def trace() -> Iterator[str]:
        random, now = Random(seed), 1_000.0
        ledger = QuotaLedger(limits, interactive_share=share)
        held: list[int] = []
        under_way: list[tuple[int, int, float, int]] = []
        wall = 1_700_000_000.0
        saved = ledger.dump(now, now + wall)
        for step in range(steps):
            kind = random.randrange(5)
            changes_at = (
                ledger.burst.changes_at
                if kind == 0
                else ledger.paused_until
                if kind == 1
                else ledger.available_at(now, background=True)
                if kind == 2
                else ledger.day.current_until
                if kind == 3
                else math.inf
            )
            now = move(random, now, changes_at)
            ledger.advance(now)
            act = random.randrange(22)
            returned: Any = None
            call = "wait"
            if act < 7:
                returned = ledger.take(now, background=act < 3)
                call = f"take {act < 3}"
                if returned >= 0:
                    held.append(returned)
            elif act < 10 and held:
                before = ledger.burst.returned
                under_way.append((held.pop(0), ledger.burst.sent(now), now, before))
                call = "send"
            elif act < 13 and under_way:
                minute, sending, sent_at, before = under_way.pop(random.randrange(len(under_way)))
                is_refused = random.randrange(8) == 0
                call = f"answer {minute} {sending} {is_refused}"
                trip = now - sent_at if random.randrange(5) else None
                ledger.answered(now, minute, trip, sending, refused=is_refused)
                if random.randrange(4) == 0:
                    limit = random.choice([None, 0, 1, 4, 6, 6])
                    quota = ReportedQuota(
                        day=ReportedWindow(random.choice([None, 30, 40, 40, 10_000]), random.choice([None, 0, 25])),
                        burst=ReportedWindow(limit, random.choice([None, 0, 2])),
                    )
                    call += f" {text_of(attrs.astuple(quota))}"
                    ledger.correct(now, quota, returned_at_sending=before, sent_at=sent_at)
            elif act == 13 and held:
                call = "give back"
                ledger.give_back(held.pop())
            elif act == 13 and under_way:
                minute, sending, *_ = under_way.pop()
                call = f"give back {sending}"
                ledger.give_back(minute, sending)
            elif act == 14 and random.randrange(2):
                seconds = random.choice([0.5, 1.0, 2.0, 2.0, 75.0, 3_725.0, 86_399.0, 86_400.0])
                reason = random.choice(["", "a fault", REFUSAL, REFUSAL])
                if seconds < 60.0 or random.randrange(6) == 0:
                    call = f"pause {seconds} {reason}"
                    ledger.pause(now, seconds, reason)
            elif act == 15 and random.randrange(8) == 0:
                call = "rest"
                now += random.choice([60.0, 900.0, 901.0, 43_200.0, 86_460.0])
                ledger.advance(now)
            elif act == 16:
                call = "dump"
                saved = ledger.dump(now, now + wall)
                returned = saved.decode()
            elif act == 17 and random.randrange(4) == 0:
                ahead = random.choice([0.0, 3.0, 4.999, 5.0, 3_600.0, -3_600.0, 90_000.0])
                call = f"load {ahead}"
                ledger.load(saved, now, now + wall + ahead)
            elif act == 18:
                ahead = random.choice([0.0, 59.0, -59.0, -61.0, -7_200.0])
                call = f"wall {ahead}"
                ledger.check_wall(now, now + wall + ahead)
            is_background, ahead = random.randrange(2) == 0, random.choice([0, 0, 1, 2, 7, 1_500])
            yield step_of(
                f"{call}; {ahead} ahead, {'background' if is_background else 'interactive'}",
                returned,
                now,
                attrs.astuple(ledger.limits),
                [attrs.astuple(ledger.capacity(background=background)) for background in (False, True)],
                ledger.in_flight,
                ledger.paused_until,
                ledger.has_restored,
                ledger.burst.available(),
                ledger.day.available(),
                ledger.burst.external,
                ledger.day.minutes() if step % 16 == 0 else "",
                *_of_congestion(ledger.congestion, now)[:3],
                ledger.available_at(now, background=is_background),
                ledger.estimate(now, ahead=ahead, background=is_background),
                ledger.shortage(now, ahead=ahead, background=is_background),
            )

    return trace


def _served(limits: RateLimits | None, serves: int, *, pause: float = 1.0, states: bool = False) -> Trace:
    """Return what happens at a server that refuses what exceeds its limit, and takes long for some requests."""

    def trace() -> Iterator[str]:
        ledger = QuotaLedger(limits, interactive_share=0.2)
        now, number, arrivals = 1_000.0, 0, list[float]()
        under_way: list[tuple[float, int, int, float, bool, int]] = []
        for step in range(1_200):
            ledger.advance(now)
            for each in [each for each in under_way if each[0] <= now]:
                under_way.remove(each)
                _, minute, sending, sent_at, is_refused, before = each
                ledger.answered(now, minute, now - sent_at, sending, refused=is_refused)
                if states and number % 5 == 0:
                    quota = ReportedQuota(burst=ReportedWindow(serves, None), day=ReportedWindow(200_000, 150_000))
                    ledger.correct(now, quota, returned_at_sending=before, sent_at=sent_at)
                if is_refused:
                    ledger.pause(now, pause, REFUSAL)
            if step % 500 < 400 and (minute := ledger.take(now, background=number % 4 == 0)) >= 0:
                number += 1
                arrivals = [at for at in arrivals if at > now - 1.0]
                is_served = len(arrivals) < serves
                arrivals += [now] if is_served else []
                end = now + (1.5 if number % 9 == 0 else 0.0625)
                under_way.append((end, minute, ledger.burst.sent(now), now, not is_served, ledger.burst.returned))
            if step % 4 == 0:
                yield step_of(
                    f"{number}",
                    now,
                    attrs.astuple(ledger.limits),
                    attrs.astuple(ledger.capacity(background=True)),
                    ledger.in_flight,
                    ledger.paused_until,
                    ledger.burst.available(),
                    *_of_congestion(ledger.congestion, now),
                    ledger.available_at(now, background=True),
                    ledger.shortage(now, ahead=step % 3, background=step % 8 == 0),
                    ledger.estimate(now, ahead=step % 40, background=step % 8 == 0),
                )
            now += SLOT

    return trace


def _restored() -> Iterator[str]:
    """Yield what ledgers do with states of other processes, and with what is none."""
    wall, now = 1_700_000_040.0, 1_000.0
    minute = wall / 60
    minutes = [[minute, 3], [minute - 1, 1], [minute - 1.0001, 2], [minute - 1_439.5, 5], [minute - 1_440, 7]]
    minutes += [[minute + 0.1, 11], [minute - 1_441, 13], [minute - 5, 10**13], [minute - 7, -2]]
    for ahead in (-3_600.0, -60.0, -5.0, 0.0, 4.999, 5.0, 3_600.0, 90_000.0):
        for kept in (minutes, minutes[:3]):
            ledger = QuotaLedger(RateLimits(8, 100), interactive_share=0.0)
            ledger.advance(now)
            ledger.load(encode({"format": 1, "saved": wall, "minutes": kept}), now, wall + ahead)
            yield step_of(f"load {ahead:g}", ledger.day.minutes(), ledger.burst.external, ledger.burst.external_until)
            for later in (0.0, 59.0, 60.0, 61.0, 3_700.0, 86_400.0, 86_400.5):
                ledger.advance(now + later)
                for off in (0.0, ahead, ahead - 60.0, ahead - 60.001, -7_200.0):
                    ledger.check_wall(now + later, wall + later + off)
                    yield step_of(f"wall {later:g} {off:g}", ledger.has_restored, ledger.day.minutes())
    for content in (
        '{"format": 2}',
        '{"format": "1", "saved": 1, "minutes": []}',
        '{"saved": 1, "minutes": []}',
        '{"format": 1, "minutes": []}',
        '{"format": 1, "saved": "x", "minutes": []}',
        '{"format": 1, "saved": 1.0, "minutes": [1]}',
        '{"format": 1, "saved": 1.0, "minutes": [["inf", 1]]}',
        '{"format": 1, "saved": "nan", "minutes": []}',
        '{"format": 1, "saved": 1.0, "minutes": [[1.0, 1e400]]}',
        '{"format": 1, "saved": 1.0, "minutes": [[1.0, 1]]}',
        "[]",
    ):
        try:
            QuotaLedger(None, interactive_share=0.0).load(content.encode(), now, wall)
        except ValueError as error:
            yield step_of(content, f"{error}, {type(error.__cause__).__name__}")
        else:
            yield step_of(content, "read")


SINGLE_TRACES: Final[dict[str, Trace]] = {
    "burst window of 3": _burst(1, 3),
    "burst window of 5, at most 5": _burst(2, 5, 5),
    "burst window of 4 in 2.5 s": _burst(3, 4, 9, span=2.5),
    "burst window without a limit": _burst(4, None, steps=100),
    "round trips": _steady(100_000, 4_700),
    "round trips, seldom": _steady(100, 140, every=0.125),
    "round trips longer than the window": _steady(100, 300, every=0.0625, span=0.5, trip=0.75),
    "round trips without a limit": _steady(None, 120),
    **in_parts("day of 12", lambda seed: _day(seed, 12), seed=5, parts=4),
    **in_parts("day of 12, at most 12", lambda seed: _day(seed, 12, 12, start=86_400.0 * 40), seed=6, parts=4),
    **in_parts("day of 10", lambda seed: _day(seed, 10), seed=7, parts=4),
    **in_parts("day without a limit", lambda seed: _day(seed, None), seed=8, parts=1),
    "limit of 5": _limit(9, 5, None),
    "limit of 5, at most 5": _limit(10, 5, 5),
    "limit that is not configured": _limit(11, None, None),
    "congestion, any calls": _congestion(12, (math.inf,)),
    "congestion, any calls, from ten or one on": _congestion(13, (10, 1, math.inf), 3_000),
    "congestion, any calls, from few on": _congestion(14, (2, 1, 3)),
    "server of 9 a second": _server(9, pause=1.0, window=10),
    "server of 3 a second, stated": _server(3, pause=2.0, stated=3.0, window=10),
    "server of 20 a second, short pauses": _server(20, pause=0.25, window=10),
    **in_parts("ledger of 4 a second and 40 a day", lambda seed: _ledger(seed, RateLimits(4, 40)), seed=15, parts=4),
    **in_parts("ledger of 8 a second", lambda seed: _ledger(seed, RateLimits(8, None)), seed=16, parts=4),
    **in_parts("ledger of 30 a day", lambda seed: _ledger(seed, RateLimits(None, 30), share=0.1), seed=17, parts=4),
    **in_parts("ledger without given limits", lambda seed: _ledger(seed, None), seed=18, parts=4),
    "ledger of 8 a second, server of 5": _served(RateLimits(8, None), 5),
    "ledger of 20 a second, server of 6": _served(RateLimits(20, 1_000), 6, pause=2.0),
    "ledger without given limits, server of 30": _served(None, 30),
    "ledger without given limits, server of 110 that says so": _served(None, 110, states=True),
    "state of another process": _restored,
    **in_parts(
        "ledger of 1 a second without a share",
        lambda seed: _ledger(seed, RateLimits(1, 2_000), share=0.0),
        seed=19,
        parts=4,
    ),
}
