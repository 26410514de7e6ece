"""The HTML of a report: policy, escaping, figures, names and remarks."""

import base64
import errno
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve

import stellantis_hal.report.report as report_module
from stellantis_hal import CarHistory, ConfigurationError, Position, Report, Trip
from stellantis_hal.report import vega_runtime
from stellantis_hal.report.vega_runtime import runtime
from tests.report.cars import HOSTILE, NOW, energy, fuel_trip, history, position, status, telemetry, trip, vehicle
from tests.support.functions import returns

RUNTIME = "window.vegaEmbed = null;"


@pytest.fixture(autouse=True)
def without_vega(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the runtime, which takes seconds to make."""
    monkeypatch.setattr(report_module, "runtime", returns(RUNTIME))


class Elements(HTMLParser):
    """The elements of a page, with their attributes and the text right in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.is_open = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))
        self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        self.is_open = False

    def handle_data(self, data: str) -> None:
        if self.found and self.is_open:
            self.found[-1][2].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        """Return attributes and text of the elements of a kind."""
        return [(attributes, "".join(texts)) for name, attributes, texts in self.found if name == tag]

    @property
    def figures(self) -> dict[str, str]:
        """The figures by their keys."""
        return {
            str(attributes["data-figure"]): text for attributes, text in self.all("dd") if "data-figure" in attributes
        }

    @property
    def data(self) -> Any:
        """What the script draws."""
        [text] = [text for attributes, text in self.all("script") if attributes.get("id") == "data"]
        return json.loads(text)


def page(*cars: CarHistory, **options: Any) -> str:
    given: dict[str, Any] = {"cars": cars, "made_at": NOW, "zone": UTC, **options}
    return Report(**given).html()


def test_the_policy_admits_scripts_and_styles_of_the_page() -> None:
    found = Elements(page(history(trip())))
    [policy] = [str(each["content"]) for each, _ in found.all("meta") if each.get("http-equiv")]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    texts = [text for attributes, text in found.all("script") if "id" not in attributes]
    texts += [text for _, text in found.all("style")]
    for text in texts:
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert len(texts) == 3
    assert [text for _, text in found.all("script")][1] == RUNTIME


def test_the_page_refers_to_nothing_outside() -> None:
    text = page(history(trip()), history(trip()))
    assert re.findall(r'(?:src|href|action)="([^"]*)"', text) == ["#car-1", "#car-2"]
    assert not re.search(r"url\(|@import|https?:", text.replace(RUNTIME, ""))


def test_hostile_texts_become_text() -> None:
    car = vehicle(label=HOSTILE, brand=HOSTILE, vin=HOSTILE, motorization=HOSTILE)
    bad = trip(faults=[{"fault": HOSTILE, "cause": HOSTILE}], id=HOSTILE)
    text = page(history(bad, vehicle=car, remarks=[HOSTILE]), remarks=[HOSTILE], show_vins=True)
    found = Elements(text)
    assert found.all("img") == []
    assert len(found.all("script")) == 3
    assert not set("\u2028\u202e") & set(text)
    assert [attributes for _, attributes, _ in found.found if any(name.startswith("on") for name in attributes)] == []
    [(_, title)] = found.all("title")[:1]
    assert title.startswith("Report: </script><img src=x onerror=alert(1)>")


def test_figures_are_those_of_the_trips() -> None:
    found = Elements(page(history(trip(0), trip(1), statuses=[status()], telemetry=[telemetry()])))
    assert found.figures == {
        "trips": "2",
        "km": "20.0 km",
        "hours": "0.5 h",
        "longest": "10.0 km",
        "kwh": "4.0 kWh",
        "kwh-per-100-km": "20.0 kWh/100 km",
        "odometer": "60,849 km",
        "battery-now": "80 %, 280 km",
    }
    [table] = found.data["tables"]
    assert [column["key"] for column in table["columns"]] == [
        *("start", "km", "minutes", "speed", "kwh", "kwh_per_100_km", "start_battery", "stop_battery"),
    ]
    assert table["rows"] == [
        [start, 10.0, 15.0, 39.996, 2.0, 20.0, 60.0, 55.0] for start in ("2025-12-01 23:30", "2025-11-30 23:30")
    ]
    ids = {str(attributes.get("id")) for _, attributes, _ in found.found}
    assert {chart["id"] for chart in found.data["charts"]} <= ids
    assert all(chart["spec"]["description"] for chart in found.data["charts"])


def test_a_combustion_car_has_litres() -> None:
    found = Elements(page(history(fuel_trip(), vehicle=vehicle(motorization="Thermic"))))
    assert (found.figures["litres"], found.figures["litres-per-100-km"]) == ("0.5 l", "5.0 l/100 km")
    assert not any("kwh" in key for key in found.figures)
    assert not any("battery" in chart["id"] for chart in found.data["charts"])


def test_a_hybrid_has_both() -> None:
    charts = [chart["id"] for chart in Elements(page(history(trip(0), fuel_trip(1)))).data["charts"]]
    assert {"car-1-consumption-battery", "car-1-consumption-fuel", "car-1-level-battery", "car-1-level-fuel"} <= set(
        charts
    )


@pytest.mark.parametrize(
    ("motorization", "sections"),
    [("Electric", ("Battery",)), ("Thermic", ("Fuel",)), ("Hybrid", ("Battery", "Fuel")), (None, ("Battery", "Fuel"))],
)
def test_a_car_without_trips_says_so(motorization: str | None, sections: tuple[str, ...]) -> None:
    text = page(history(vehicle=vehicle(motorization=motorization)))
    assert "The API has no trips of this period." in text
    assert "No status: odometer and current levels are unknown." in text
    assert text.count("No trip in this period.") == 2
    found = Elements(text)
    assert found.figures["km"] == "unknown"
    assert found.data["charts"] == []
    titles = [text for _, text in found.all("h3")]
    assert tuple(name for name in ("Battery", "Fuel") if f"{name} level over time" in titles) == sections


def test_an_account_without_cars_says_so() -> None:
    text = page()
    assert "The account has no cars" in text
    assert Elements(text).data == {"charts": [], "tables": []}


def test_several_cars_have_an_overview() -> None:
    text = page(history(trip(0)), history(fuel_trip(0), fuel_trip(1), vehicle=vehicle(label="2008", vin=None)))
    found = Elements(text)
    assert [text for _, text in found.all("h1")] == ["Report of 2 cars"]
    assert [str(attributes["id"]) for attributes, _ in found.all("section")] == ["car-1", "car-2"]
    cells = [text for _, text in found.all("td")][:14]
    assert cells == ["…4711", "1", "10.0", "2.0", "20.0", "–", "–", "unknown", "2", "20.0", "–", "–", "1.0", "5.0"]


def test_vins_and_ids_are_hidden() -> None:
    car = history(trip())
    assert "…4711" in page(car)
    assert "AAAA4711" not in page(car)
    assert "trip-0" not in page(car)
    assert "VF3AAAAAAAAAA4711" in page(car, show_vins=True)


def test_a_report_without_places_has_no_position() -> None:
    route = [Position(coordinates=(2.3, 48.8)), Position(coordinates=(2.31, 48.81)), Position()]
    car = history(trip(), routes=[route, [Position()]])
    with_places, without = page(car), page(car, show_places=False)
    assert "1 route drawn" in with_places
    assert "<svg" in with_places
    assert "Its maps show where the car was" in with_places
    assert "<svg" not in without
    assert "Left out on request" in without
    assert "where the car was" not in without
    assert "Its maps" not in page(history(trip(startPosition=None, stopPosition=None)))


def test_what_is_missing_is_told() -> None:
    trips = [
        trip(0, startedAt=None, distance=None, energyConsumptions=[], startPosition=None, stopPosition=None),
        trip(1, done=False, duration="x", faults=[{"cause": "GeoPrivacy"}, {"cause": "GeoPrivacy"}]),
        trip(2),
        trip(2),
    ]
    found = Elements(page(history(*trips, remarks=["Could not read telemetry: NotFoundError."])))
    remarks = [text for _, text in found.all("li")]
    assert remarks == [
        "1 of 3 trips: no known start: they count in totals, but in no month and day.",
        "1 of 3 trips: no known distance.",
        "1 of 3 trips: no known consumption.",
        "1 of 3 trips: no known position.",
        "1 trip with gaps in the record: GeoPrivacy.",
        "1 trip not over yet: figures so far.",
        "1 trip repeated: counted once.",
        "1 value of 1 trip: unreadable, or contradicting other values or the clock.",
        "No status: odometer and current levels are unknown.",
        "Could not read telemetry: NotFoundError.",
    ]
    [table] = found.data["tables"]
    assert table["rows"][-1][0] is None


def test_many_kinds_of_gaps_are_cut_and_counted() -> None:
    faults = [{"fault": f"{number}{'x' * 500}"} for number in range(12)]
    text = page(history(trip(faults=faults)))
    assert text.count("1 trip with gaps in the record") == 8
    assert "4 further kinds of gaps." in text
    assert "x" * 90 not in text


def test_nothing_missing_is_told_too() -> None:
    assert "Nothing: every trip has a start" in page(history(trip(), statuses=[status()]))


def test_period_zone_and_moment_are_told() -> None:
    ever = page(history(trip(), since=datetime.min.replace(tzinfo=UTC)), zone=ZoneInfo("America/New_York"))
    assert ">1-01-01 00:00</time> until" in ever.replace(">000", ">")  # strftime pads years on some systems only
    text = page(history(trip(), since=NOW - timedelta(days=40), until=NOW), zone=ZoneInfo("Europe/Paris"))
    assert 'Made <time datetime="2025-12-31T20:00+0100">2025-12-31 20:00</time>' in text
    assert "zone Europe/Paris (then UTC+01:00)" in text
    assert ">2025-11-21 20:00</time> until <time" in text
    assert "from the first trip that the API has until when this was made" in page(history(trip()))
    assert "of the zone UTC.</p>" in page()
    assert "of the machine that made it" in page(zone=None)
    assert "UTC+05:45 (then UTC+05:45)" in page(zone=timezone(timedelta(hours=5, minutes=45)))


def test_tables_and_pictures_have_names() -> None:
    found = Elements(page(history(trip(), statuses=[status()])))
    assert all(attributes.get("aria-label") for attributes, _ in found.all("svg"))
    assert len(found.all("caption")) == len(found.all("table"))
    names = [attributes for tag, attributes, _ in found.found if tag == "div" and attributes.get("role") == "region"]
    assert all("aria-label" in each or "aria-labelledby" in each for each in names)
    assert len(found.all("label")) == len(found.all("input")) == 4
    assert ("lang", "en") in [pair for attributes, _ in found.all("html") for pair in attributes.items()]


def test_huge_numbers_stay_short() -> None:
    found = Elements(page(history(trip(distance=1e300, energyConsumptions=[]))))
    assert found.figures["km"] == "1e+300 km"
    assert max(len(line) for line in page(history(trip(distance=1e300))).splitlines() if "<script" not in line) < 20_000


@pytest.mark.scenario
def test_ten_thousand_trips_stay_small() -> None:
    text = page(history(*[evolve(trip(number % 700), id=str(number)) for number in range(10_000)]))
    assert len(text) < 2_500_000
    assert "10,000" in text


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="made_at must be aware"):
        Report(cars=(), made_at=datetime(2025, 1, 1))  # noqa: DTZ001 - refused


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    report = Report(cars=[history(trip())], made_at=NOW, zone=UTC)
    assert report.write(target) == target.stat().st_size
    assert target.read_text("utf-8") == report.html()
    assert target.stat().st_mode & 0o777 == 0o600
    target.chmod(0o644)
    report.write(target)
    assert target.stat().st_mode & 0o777 == 0o644

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="full"):
        report.write(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_names_the_file(tmp_path: Path) -> None:
    report = Report(cars=[], made_at=NOW)
    with pytest.raises(FileNotFoundError, match=r"missing.report\.html"):
        report.write(tmp_path / "missing" / "report.html")


def test_values_are_counted_in_their_repr() -> None:
    report = Report(cars=[history(trip(), Trip())], made_at=NOW)
    assert "cars=<1>" in repr(report)
    assert "trips=<2>" in repr(report.cars[0])
    assert "4711" not in repr(report.cars[0])


def test_the_runtime_is_one_script_without_an_end_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    class Converter:
        @staticmethod
        def javascript_bundle(snippet: str) -> str:
            return f"q='</script><!--';\r\n{snippet}"

    monkeypatch.setattr(vega_runtime, "import_module", returns(Converter))
    runtime.cache_clear()
    assert runtime() == "(function(){q='<\\/script>\\x3c!--';\nwindow.vegaEmbed = vegaEmbed;})();"
    runtime.cache_clear()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(vega_runtime, "import_module", missing)
    runtime.cache_clear()
    with pytest.raises(ConfigurationError, match=r"stellantis-hal\[report\]"):
        runtime()


@pytest.mark.parametrize("figure", [1e308, -1e308, 5e-324])
def test_absurd_figures_of_a_trip_spoil_no_report(figure: float) -> None:
    absurd: dict[str, Any] = {
        "distance": figure,
        "kinetic": {"avgSpeed": figure, "maxSpeed": figure},
        "startEnergies": [energy("Electric", figure, figure)],
        "endEnergies": [energy("Electric", -figure, figure)],
        "energyConsumptions": [{"type": "Electric", "consumption": figure, "average": figure}],
        "startPosition": position(figure, figure),
    }
    text = page(history(trip(0), *(trip(number, **{key: absurd[key]}) for number, key in enumerate(absurd, 1))))
    found = Elements(text)
    assert found.data["charts"]
    assert not re.search(r">[^<]*\b(?:inf|nan)\b[^<]*<", text.partition("<script")[0])
