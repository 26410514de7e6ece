"""What all commands have in common: variables of options, JSON, errors of one line, exit statuses."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from stellantis_hal.cli.common_options import Invocation
from stellantis_hal.cli.environment_options import EnvironmentOption
from stellantis_hal.cli.failures import failure_of_usage
from stellantis_hal.cli.root_group import commands
from stellantis_hal.vendor.hosts import PARTNER_URL

pytestmark = pytest.mark.wall_clock

VIN = "VF3EC2B9A00000000"
"""The VIN of the first car of the built-in simulator."""
VEHICLE = {"id", "vin", "label", "brand", "motorization"}
CALLBACK = {"id", "label", "status", "kind", "host", "types"}
MONITOR = {"id", "label", "status", "when", "triggers", "include", "refresh"}
DOCUMENTS: dict[str, tuple[list[str], type, set[str]]] = {
    "vehicles": ([], list, VEHICLE),
    "status": (["0000"], dict, {"vehicle", "status"}),
    "trips": (["0000", "--limit", "1"], list, {"id", "vin", "started_at", "distance_km", "duration_s"}),
    "maintenance": (["0000"], dict, {"vehicle", "days", "mileage_km"}),
    "alerts": (["0000", "--all"], list, {"id", "type", "active", "severity", "started_at", "ended_at"}),
    "export": (["-o", "a.csv"], dict, {"file", "written", "trips", "failed"}),
    "record": (
        ["a.json"],
        dict,
        {"file", "requests", "without_response", "bodies_left_out", "replaced", "left_as_it_was"},
    ),
    "whoami": ([], dict, {"account", "brand", "name", "email"}),
    "config": ([], dict, {"file", "profile", "values"}),
    "doctor": ([], list, {"name", "state", "text", "advice"}),
    "demo": (["--accounts", "1", "--vehicles", "1", "--trips", "1", "--limit", "100"], dict, {"rows", "refused"}),
    "browse": ([], dict, {"email", "_links"}),
    "fleet list": ([], list, {"id", "name", "description"}),
    "fleet vehicles": ([], list, {"fleet", "id", "vin", "motorization"}),
    "fleet status": ([VIN], dict, {"mileage_km", "is_locked"}),
    "callbacks list": ([], list, CALLBACK),
    "callbacks ensure": (["https://hooks.example.org/st", "--label", "a"], dict, CALLBACK),
    "monitors list": (["--car", "0000"], list, MONITOR),
}
"""Commands that print one document with ``--json``: arguments, the kind of document, and keys of it or its items."""
LINES = {"watch": ["0000", "--events", "1"], "remote lock": ["0000", "--yes", "--wait", "0"]}
"""Commands that print an object a line, as it happens."""
REFUSED = {
    "login": ["--client-id", "a", "--brand", "ds"],
    "logout": [],
    "token": [],
    "tokens copy": ["a", "b"],
    "receive": ["--path", "/a"],
}
"""Commands that the simulator is nothing for."""
OTHERS = {
    "completion": "prints a script",
    "simulate": "serves until it is ended",
    "report": "test_report has its JSON",
    "trip": "test_car_commands shows one of the list",
    "callbacks pause": "needs a callback: test_monitoring",
    "callbacks resume": "needs a callback: test_monitoring",
    "callbacks delete": "needs a callback: test_monitoring",
    "monitors create": "needs a callback: test_monitoring",
    "monitors delete": "needs a monitor: test_monitoring",
    **{f"remote {name}": "as remote lock" for name in ("unlock", "horn", "lights", "wake", "charge", "climate")},
}


def every(group: click.Group = commands, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from every(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def options_of(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STELLANTIS_HAL_CONFIG", str(tmp_path / "config.toml"))


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(commands, arguments, env=environment)


def test_each_option_has_a_variable_of_one_meaning() -> None:
    kinds: dict[str, set[Any]] = defaultdict(set)
    for words, command in [("", commands), *every()]:
        for option in options_of(command):
            if option.name == "version":
                continue
            assert isinstance(option, EnvironmentOption), (words, option.opts)
            assert isinstance(option.envvar, str)
            assert re.fullmatch(r"STELLANTIS_HAL(_[A-Z]+)+", option.envvar)
            kinds[option.envvar].add((type(option.type), option.multiple, option.is_flag, option.count))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}
    assert kinds.keys() >= {f"STELLANTIS_HAL_{name}" for name in ("PROFILE", "SIMULATE", "JSON", "CLIENT_ID", "STORE")}


def test_no_command_redefines_a_common_option() -> None:
    common = {name for option in options_of(commands) for name in option.opts}
    for words, command in every():
        assert not common & {name for option in options_of(command) for name in option.opts}, words


@pytest.mark.unmeasured
def test_help_says_how_a_car_is_named_where_it_is_an_argument() -> None:
    explained = {words for words, _ in every() if "CAR is the label of a car" in shown_help(words)}
    assert explained == {words for words, _ in every() if re.search(r"\[CAR…?\]", shown_help(words))}
    assert explained >= {"status", "trips", "watch", "report", "remote lock"}


def shown_help(words: str) -> str:
    return CliRunner().invoke(commands, [*words.split(), "--help"]).stdout


def test_every_command_is_tried_here_or_elsewhere() -> None:
    assert {words for words, _ in every()} == DOCUMENTS.keys() | LINES.keys() | REFUSED.keys() | OTHERS.keys()


@pytest.mark.parametrize("words", DOCUMENTS)
def test_json_is_one_document_of_a_stable_shape(words: str) -> None:
    arguments, kind, keys = DOCUMENTS[words]
    ran = run(*words.split(), *arguments, "--simulate", "--json")
    assert ran.exit_code == 0, ran.output
    document: Any = json.loads(ran.stdout)
    is_list = isinstance(document, list)
    assert is_list == (kind is list)
    for item in document if is_list else [document]:
        assert item.keys() >= keys


@pytest.mark.unmeasured
@pytest.mark.parametrize("words", LINES)
def test_json_of_what_happens_is_an_object_a_line(words: str) -> None:
    ran = run(*words.split(), *LINES[words], "--simulate", "--json")
    assert [type(json.loads(line)) for line in ran.stdout.splitlines()] == [dict] * len(ran.stdout.splitlines())
    assert ran.stdout


@pytest.mark.parametrize("words", REFUSED)
def test_the_simulator_is_refused_where_it_is_no_use(words: str) -> None:
    ran = run(*words.split(), *REFUSED[words], "--simulate", "--json")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "leave --simulate out" in json.loads(ran.stderr)["error"]


def test_variables_set_what_options_set() -> None:
    as_json = json.loads(run("vehicles", STELLANTIS_HAL_SIMULATE="1", STELLANTIS_HAL_JSON="1").stdout)
    assert [car["vin"] for car in as_json] == [VIN, as_json[1]["vin"]]
    simulated = {"STELLANTIS_HAL_SIMULATE": "1", "STELLANTIS_HAL_CAR": "0000"}
    text = run("trips", STELLANTIS_HAL_CSV="1", STELLANTIS_HAL_LIMIT="3", **simulated).stdout
    assert (text.startswith("account,vehicle,"), len(text.splitlines())) == (True, 4)
    assert run("status", **simulated).exit_code == 0
    ran = run("trips", STELLANTIS_HAL_LIMIT="many", **simulated)
    assert (ran.exit_code, "(from the variable STELLANTIS_HAL_LIMIT)" in ran.stderr) == (2, True)


WRONG = [
    (["nope"], "No such command 'nope'. See `"),
    (["export", "-o", "trips.txt", "--simulate"], "the format of trips.txt is not known: name it .geojson, .csv or "),
    (["trips", "--bogus", "--simulate"], "No such option '--bogus'"),
    (["--timeout", "0", "vehicles"], "0.0 is not in the range"),
    (["trips", "--limit", "x", "--simulate"], "'x' is not a valid integer"),
    (["trips", "0000", "--since", "99999y", "--simulate"], "no such day or time"),
    (["trips", "0000", "--until", "9999-12-31", "--simulate"], "no such day or time"),
    (["remote", "lock", "0000", "--simulate"], "pass --yes"),
    (["remote", "lock", "0000", "--simulate", "--no-input"], "pass --yes"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_usage_is_one_line_or_one_object(arguments: list[str], message: str) -> None:
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr
    assert ran.stderr.endswith("--help`.\n")
    document = json.loads(run(*arguments, "--json").stderr)
    assert (document["exit_status"], message in document["error"]) == (2, True)


def test_a_question_of_click_ends_with_its_own_mark() -> None:
    error = click.UsageError("No such command 'statsu'. Did you mean 'status'?", click.Context(commands, info_name="x"))
    assert failure_of_usage(error, Invocation()).message.endswith("Did you mean 'status'? See `x --help`.")


LOGIN = ["login", "--client-id", "a", "--brand", "ds", "--paste"]
WITHOUT_EFFECT = [
    (["trips", "--csv", "--json", "--simulate"], "--json: trips are written as csv"),
    (["trips", "-o", "a.jsonl", "--json", "--simulate"], "--json: trips are written as jsonl"),
    (["trips", "--csv", "--geojson", "--simulate"], "--csv and --geojson exclude each other"),
    (["report", "--no-places", "--routes", "3", "--simulate"], "--routes: --no-places leaves out"),
    (
        ["vehicles", "--brand", "ds", "--client-id", "a", "--simulate"],
        "--client-id, --brand: the simulator has its own",
    ),
    (["doctor", "--store", "a", "--simulate"], "--store: the simulator has its own"),
    (["record", "a.json", "--account", "a", "--simulate"], "--account: the simulator has its own"),
    (["fleet", "list", "--login", "a", "--simulate"], "--login: the simulator has its own"),
    (["browse", "--trust", "https://a.example", "--json", "--simulate"], "--trust: the simulator has its own"),
    (["demo", "--seconds", "5", "--store", "sqlite"], "--seconds, --store: they belong to --processes"),
    (["demo", "--processes", "2", "--trips", "5", "--bad-day"], "--trips, --bad-day: with --processes no fleet"),
    (["demo", "--timeout", "5"], "--timeout: demo does not use it"),
    (["simulate", "--json"], "--json: simulate does not use it"),
    (["completion", "bash", "--profile", "a"], "--profile: completion does not use it"),
    (["receive", "--path", "/a/b", "--profile", "a"], "--profile: receive does not use it"),
    ([*LOGIN, "--no-save", "--save", "a"], "--save: --no-save keeps no profile"),
    ([*LOGIN, "--within", "5"], "--within: the redirect URL is pasted"),
    ([*LOGIN, "--no-input"], "--no-input asks for nothing"),
    ([*LOGIN, "--param", "a=1", "--param", "a=2"], "a parameter may be given once only"),
    (["vehicles", "--client-secret", "--no-input"], "a value is needed: --no-input asks for none"),
]


@pytest.mark.parametrize(("arguments", "message"), WITHOUT_EFFECT)
def test_an_option_without_effect_is_refused(arguments: list[str], message: str) -> None:
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert message in ran.stderr


def test_a_secret_is_asked_for_where_it_may_be() -> None:
    ran = CliRunner().invoke(commands, ["config", "--client-secret", "--json"], input="s3cr3t\n")
    assert (ran.exit_code, "s3cr3t" in ran.output) == (0, False)
    secret = {"name": "client_secret", "value": "***", "origin": "option"}
    assert secret in json.loads(ran.stdout[ran.stdout.index("{") :])["values"]


def test_what_is_typed_counts_before_variables() -> None:
    """They set options for all commands, and are not refused."""
    simulated = {"STELLANTIS_HAL_SIMULATE": "1", "STELLANTIS_HAL_CAR": "0000", "STELLANTIS_HAL_BRAND": "ds"}
    csv = run("trips", "--limit", "1", "--csv", STELLANTIS_HAL_JSON="1", STELLANTIS_HAL_JSONL="1", **simulated)
    assert csv.stdout.startswith("account,vehicle,")
    rows = json.loads(run("trips", "--limit", "1", "--json", STELLANTIS_HAL_CSV="1", **simulated).stdout)
    assert len(rows) == 1
    both = run("trips", STELLANTIS_HAL_CSV="1", STELLANTIS_HAL_JSONL="1", **simulated)
    assert (both.exit_code, "--csv and --jsonl exclude each other" in both.stderr) == (2, True)


@pytest.mark.parametrize("words", [["vehicles", "--brand", "ds"], ["fleet", "list", "--login", "a", "--password", "b"]])
def test_a_key_without_its_certificate_is_refused(words: list[str]) -> None:
    ran = run(*words, "--client-id", "a", "--certificate-key", __file__)
    assert (ran.exit_code, "pass --certificate too" in ran.stderr) == (8, True)


def test_a_wrong_value_of_the_profile_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[profiles.a]\nbrand = "tesla"\nclient_id = "x"\n')
    ran = run("vehicles")
    assert ran.exit_code == 8
    assert ran.stderr.startswith(f"error: {path}: profiles.a.brand: Invalid value for '--brand': 'tesla'")
    path.write_text('[profiles.a]\ntimezone = "Mars/Olympus"\n')
    assert "must be the name of a time zone" in run("vehicles", "--simulate").stderr
    path.write_text("default = 3\n")
    assert "default must be the name of a profile" in run("vehicles", "--simulate").stderr
    path.write_text('[profiles.a]\nbrand = "ds"\nbraand = "x"\n')
    notes = [json.loads(line) for line in run("vehicles", "--simulate", "--json").stderr.splitlines()]
    assert ["braand is unknown" in note["warning"] for note in notes] == [True]


def test_a_profile_sets_no_option_of_another_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password of a partner does not go to the server of an account."""
    path = tmp_path / "config.toml"
    path.write_text('[profiles.a]\nclient_id = "x"\nbase_url = "https://api.example"\nproxy = "direct"\n')
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr("stellantis_hal.cli.partner_fleets._run", lambda _, options: seen.append(options))
    assert run("fleet", "list", "--login", "a", "--password", "b").exit_code == 0
    assert (seen[0]["client_id"], seen[0]["proxy"], seen[0]["base_url"]) == ("x", "direct", PARTNER_URL)


@pytest.mark.parametrize("arguments", [["trips", "0000", "-o", "no/a.csv"], ["export", "-o", "no/a.csv"]])
def test_a_file_that_cannot_be_written_is_named(arguments: list[str]) -> None:
    ran = run(*arguments, "--simulate")
    assert ran.exit_code == 1
    assert ran.stderr == "error: no/a.csv: No such file or directory: create its folder, or correct the path\n"


def test_every_exit_status_is_documented() -> None:
    pages = Path(__file__).parent.parent.parent / "docs"
    for page in ("howto/command_line.md", "reference/cli.rst"):
        text = (pages / page).read_text()
        for status in (*range(10), 130, 141):
            assert re.search(rf"(\| {status} \||\* - {status}\n)", text), (page, status)


def test_the_exchange_is_shown_without_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    """The logger of the process is as before afterwards."""
    logger = logging.getLogger("stellantis_hal")
    before = (logger.level, list(logger.handlers))
    ran = run("vehicles", "--simulate", "-vv")
    assert (logger.level, logger.handlers) == before
    assert ran.exit_code == 0
    assert "GET https://api.simulator.test/connectedcar/v4/user/vehicles: 200 in" in ran.stderr
    assert VIN not in ran.stderr
