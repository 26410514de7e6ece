"""Reports in headless Chromium: at two widths and in two colour schemes, with the numbers of the API."""

import base64
import hashlib
import json
import re
import shutil
import struct
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from stellantis_hal import CarHistory, Report, Vehicle, read_car_history
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.structuring.converter import read
from stellantis_hal.testing import simulated_account, simulated_client

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.wall_clock,
    pytest.mark.conformance,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]

EPOCH = datetime(2026, 11, 20, 8, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=\"console.error('ran')\">\u2028\u202eabc"
PROBE = """
const wait = setInterval(() => {
  const root = document.documentElement;
  if (root.dataset.drawn === undefined) return;
  clearInterval(wait);
  const text = (element) => element ? element.textContent : null;
  const form = document.querySelector("form.filters"), status = document.querySelector(".status");
  const all = text(status);
  if (form) {
    form.elements.least.value = "5";
    form.dispatchEvent(new Event("input"));
  }
  console.log("PROBE " + JSON.stringify({
    charts: document.querySelectorAll("svg.marks").length,
    specs: Number(root.dataset.drawn),
    failed: document.querySelectorAll(".error").length,
    named: [...document.querySelectorAll(".chart")].every((each) => each.getAttribute("aria-label")),
    width: root.scrollWidth,
    images: document.images.length,
    figures: Object.fromEntries(
      [...document.querySelectorAll("[data-figure]")].map((each) => [each.dataset.figure, text(each)])),
    all, filtered: text(status),
    rows: document.querySelectorAll("tbody tr").length,
    background: getComputedStyle(document.body).backgroundColor,
  }));
}, 50);
"""


@attrs.frozen
class Shown:
    """What Chromium made of a page."""

    facts: dict[str, Any]
    messages: list[str]
    picture: bytes


def show(html: str, folder: Path, width: int, *, is_dark: bool = False) -> Shown:
    """Open a page, and return what the probe in it finds, the messages of the console and a picture."""
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    probed = html.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    head, body_end, tail = probed.rpartition("</body>")
    page, picture = folder / "report.html", folder / "report.png"
    page.write_text(f"{head}<script>{PROBE}</script>{body_end}{tail}", encoding="utf-8")
    # A window has at least 500 pixels, a frame any number.
    frame = folder / "frame.html"
    frame.write_text(f'<body style="margin:0"><iframe src="report.html" width="{width}" height="3000" frameborder="0">')
    assert CHROMIUM is not None
    arguments = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"),
        *(f"--user-data-dir={folder / 'profile'}", "--disable-background-networking", "--no-first-run"),
        *("--virtual-time-budget=20000", f"--window-size={max(width, 500)},3000", f"--screenshot={picture}"),
        *(("--blink-settings=preferredColorScheme=0",) if is_dark else ()),
    ]
    done = subprocess.run([*arguments, frame.as_uri()], capture_output=True, check=False, timeout=90)
    messages = re.findall(r'CONSOLE[^"]*"(.*)", source: ', done.stderr.decode("utf-8", "replace"))
    found = [each.removeprefix("PROBE ") for each in messages if each.startswith("PROBE ")]
    assert len(found) == 1, done.stderr.decode("utf-8", "replace")[-2_000:]
    return Shown(
        json.loads(found[0]), [each for each in messages if not each.startswith("PROBE ")], picture.read_bytes()
    )


async def read_cars(simulator: Simulator) -> list[CarHistory]:
    async with simulated_client(simulator) as client:
        account = simulated_account(client, simulator)
        return [await read_car_history(vehicle) async for vehicle in account.vehicles()]


async def test_the_page_has_the_numbers_of_the_api(tmp_path: Path) -> None:
    """At the width of a desktop: every chart is drawn, nothing is refused, and the filter counts what it shows."""
    simulator = Simulator(World(seed=7, vehicles=1, trips=300, epoch=EPOCH))
    [car] = await read_cars(simulator)
    shown = show(Report(cars=[car], made_at=EPOCH, zone=UTC).html(), tmp_path, 1280)
    trips = list(simulator.world.trips(simulator.world.vehicles[0].id))
    kilometres = sum(trip.distance for trip in trips)
    kwh = sum(sum(trip.used) for trip in trips) / 1000
    long = [trip for trip in trips if trip.distance >= 5]
    facts = shown.facts
    assert shown.messages == []
    assert (facts["failed"], facts["named"]) == (0, True)
    assert facts["charts"] == facts["specs"] > 4
    assert facts["figures"]["trips"] == f"{len(trips):,}"
    assert facts["figures"]["km"] == f"{kilometres:,.1f} km"
    assert facts["figures"]["kwh"] == f"{kwh:,.1f} kWh"
    assert facts["all"].startswith(f"{len(trips):,} of {len(trips):,} trips: {kilometres:,.1f} km, {kwh:,.1f} kWh")
    assert facts["filtered"].startswith(
        f"{len(long):,} of {len(trips):,} trips: {sum(t.distance for t in long):,.1f} km"
    )
    assert facts["width"] <= 1280


async def test_a_phone_needs_no_sideways_scrolling(tmp_path: Path) -> None:
    """In both colour schemes, with all kinds of drive."""
    cars = await read_cars(Simulator(World(seed=7, vehicles=3, trips=200, epoch=EPOCH)))
    html = Report(cars=cars, made_at=EPOCH, zone=UTC).html()
    light, dark = show(html, tmp_path, 390), show(html, tmp_path, 390, is_dark=True)
    for shown in (light, dark):
        assert shown.messages == []
        assert shown.facts["failed"] == 0
        assert shown.facts["charts"] == shown.facts["specs"]
        assert shown.facts["width"] <= 390
        assert struct.unpack(">II", shown.picture[16:24]) == (500, 3000)
        assert len(shown.picture) > 50_000
    assert light.facts["background"] == "rgb(255, 255, 255)"
    assert dark.facts["background"] == "rgb(20, 24, 28)"


async def test_hostile_names_run_nothing(tmp_path: Path) -> None:
    body = {"id": "a", "vin": HOSTILE, "label": HOSTILE, "brand": HOSTILE, "motorization": HOSTILE}
    car = CarHistory(vehicle=read(body, Vehicle), remarks=[HOSTILE])
    shown = show(Report(cars=[car, car], made_at=EPOCH, show_vins=True, remarks=[HOSTILE]).html(), tmp_path, 390)
    assert shown.messages == []
    assert (shown.facts["images"], shown.facts["charts"], shown.facts["failed"]) == (0, 0, 0)
    assert shown.facts["width"] <= 390


async def test_ten_thousand_trips_are_shown(tmp_path: Path) -> None:
    [car] = await read_cars(Simulator(World(seed=7, vehicles=1, trips=60, epoch=EPOCH)))
    trips = [attrs.evolve(car.trips[number % len(car.trips)], id=str(number)) for number in range(10_000)]
    html = Report(cars=[attrs.evolve(car, trips=trips)], made_at=EPOCH, zone=UTC).html()
    shown = show(html, tmp_path, 1280)
    assert shown.messages == []
    assert shown.facts["figures"]["trips"] == "10,000"
    assert shown.facts["all"].endswith(", the first 100 are listed")
    assert len(html) < 4_000_000
