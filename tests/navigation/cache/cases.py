"""Calls of the cache whose outcomes stand in ``outcomes.txt``.

``python -m tests.support.outcomes tests.navigation.cache.cases`` renews that file.
"""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import attrs

from stellantis_hal.errors import BudgetExhaustedError, NetworkError, StellantisError
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.cache import cache_control, freshness, store, validators, variants
from stellantis_hal.navigation.cache.fetch import CachedFetch, uncached
from stellantis_hal.navigation.cache.memory import MemoryCache
from stellantis_hal.navigation.cache.partition import Partition, choose_partition
from stellantis_hal.navigation.cache.partition_responses import PartitionResponses
from stellantis_hal.navigation.cache.row_format import pack, unpack
from stellantis_hal.navigation.cache.sqlite import SQLiteCache
from stellantis_hal.navigation.cache.store import StoredVariants, size_of
from stellantis_hal.navigation.cache.stored_response import StoredResponse, select
from stellantis_hal.navigation.fetch_protocol import Request, Response
from tests.navigation.cache.origin_server import NOON, URL, OriginServer, answer_of
from tests.support.outcomes import Case, described

__all__ = ["CASES", "FILE"]

FILE: Final = Path(__file__).with_name("outcomes.txt")
CASES: Final[dict[str, Case]] = {}
OLD: Final = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER: Final = "Thu, 26 Nov 2026 12:01:40 GMT"

_value: Any  # names of loops below


def _add(name: str, case: Case) -> None:
    assert name not in CASES, name
    CASES[name] = case


def _call(name: str, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Add a call of a function."""
    _add(name, lambda _: function(*args, **options))


def _each(label: str, function: Callable[..., Any], values: Sequence[Any]) -> None:
    """Add a call of a function for each value."""
    for index, value in enumerate(values):
        _call(f"{label} {index} {repr(value)[:60]!a}", function, value)


# ------------------------------------------------------------------------------------------- directives, freshness

CONTROLS: Final = (
    None,
    "",
    "max-age=60",
    "MAX-AGE = 60 , no-cache",
    'max-age="60"',
    "max-age",
    "max-age=",
    "max-age=-1",
    "max-age=1.5",
    "max-age=60, max-age=60",
    "max-age=9999999999999",
    "max-age=2147483648",
    "max-age=2147483649",
    "max-age=²",
    "no-store",
    'no-cache="set-cookie"',
    'a="b\\"c", d',
    ",, ,max-age=5",
    "a b, max-age=5",
    "=5, max-age=6",
    'x="unclosed, max-age=7',
    "must-understand, max-age=5",
    "private",
    "x=1;y, z",
    "a," * 4_091 + "b,max-age=5",
    "a," * 4_091 + ",max-age=5",
)
_each("directives", cache_control.parse_directives, CONTROLS)
_each("max-age", lambda field: cache_control.seconds_of(cache_control.parse_directives(field), "max-age"), CONTROLS)
_each(
    "directives of a request",
    cache_control.request_directives,
    (
        {},
        {"pragma": "No-Cache"},
        {"pragma": "x, no-cache"},
        {"pragma": "x"},
        {"cache-control": "max-age=1", "pragma": "no-cache"},
        {"cache-control": ""},
    ),
)
LIFETIMES: Final[tuple[dict[str, str], ...]] = (
    {},
    *({"cache-control": control} for control in CONTROLS[2:16] if control),
    {"expires": LATER},
    {"expires": OLD},
    {"expires": "0"},
    {"expires": LATER, "date": "Thu, 26 Nov 2026 12:00:40 GMT"},
    {"expires": LATER, "date": "x"},
    {"expires": LATER, "cache-control": "max-age=5"},
    {"cache-control": "no-store", "expires": LATER},
)
_each("lifetime", lambda fields: freshness.freshness_lifetime(Headers(fields), NOON), LIFETIMES)
AGES: Final[tuple[dict[str, str], ...]] = (
    {},
    {"age": "5"},
    {"age": " 5 , 6"},
    {"age": "5;x"},
    {"age": "x"},
    {"age": "-5"},
    {"age": "5.5"},
    {"age": "9" * 12},
    {"age": "9" * 112},
    {"age": "9" * 113},
    {"age": ""},
    {"date": "Thu, 26 Nov 2026 11:59:50 GMT"},
    {"date": LATER},
    {"date": "Thu, 26 Nov 2026 11:59:50 GMT", "age": "20"},
    {"date": "x", "age": "3"},
    {"age": "2147483647"},
    {"age": "2147483648"},
    {"age": "2147483649"},
)
for _delay in (-5.0, 0.0, 2.5):
    _each(
        f"age after {_delay} s", lambda fields, delay=_delay: freshness.initial_age(Headers(fields), NOON, delay), AGES
    )
for _status in (199, 200, 203, 204, 205, 206, 226, 299, 300, 304, 404):
    _each(
        f"storable {_status}",
        lambda control, status=_status: [
            freshness.is_storable(status, Headers({"cache-control": control, **more}))
            for more in ({}, {"expires": "x"})
        ],
        ("", "no-store, max-age=5", "max-age=5", "must-understand", "must-understand, max-age=5"),
    )

# ------------------------------------------------------------------------------------------- validators, variants

TAGS: Final = ("", '"a"', 'W/"a"', "a", "*", '"a", "b"', '"a b"', "a b", '"é"', "x" * 1_025, "w/a", '""')
_each(
    "conditions of a tag",
    lambda tag: [validators.conditions_of(Headers({"etag": tag, "last-modified": date})) for date in ("", OLD, "é")],
    TAGS,
)
_each(
    "a 304 of",
    lambda pair: validators.is_of(Headers(pair[0]), Headers(pair[1])),
    [
        ({}, {}),
        ({"etag": '"a"'}, {"etag": 'W/"a"'}),
        ({"etag": '"a"'}, {"etag": '"b"'}),
        ({"etag": '"a"'}, {}),
        ({}, {"etag": '"a"'}),
        ({"etag": '"a"', "last-modified": OLD}, {"last-modified": LATER}),
        ({"last-modified": OLD}, {"last-modified": LATER}),
        ({"last-modified": OLD}, {"last-modified": OLD}),
        ({"last-modified": OLD}, {}),
        ({}, {"last-modified": OLD}),
        ({"last-modified": OLD}, {"etag": '"a"', "last-modified": LATER}),
        ({"etag": ' W/"a"'}, {"etag": '"a" '}),
    ],
)
_each(
    "not modified",
    lambda pair: validators.is_not_modified(pair[0], Headers(pair[1])),
    [
        ({"if-none-match": " * "}, {}),
        ({"if-none-match": '"a", W/"b"'}, {"etag": '"b"'}),
        ({"if-none-match": '"a"'}, {"etag": '"b"'}),
        ({"if-none-match": "a"}, {"etag": "a"}),
        ({"if-none-match": '"a"'}, {}),
        ({"if-none-match": '"a"', "if-modified-since": LATER}, {"last-modified": OLD}),
        ({"if-modified-since": OLD}, {"last-modified": OLD}),
        ({"if-modified-since": OLD}, {"last-modified": LATER}),
        ({"if-modified-since": LATER}, {"last-modified": OLD}),
        ({"if-modified-since": LATER}, {"date": OLD}),
        ({"if-modified-since": OLD}, {"date": LATER}),
        ({"if-modified-since": "x"}, {"last-modified": OLD}),
        ({"if-modified-since": LATER}, {}),
        ({"if-none-match": '"x", ' * 1_638 + '"a"'}, {"etag": '"a"'}),
        ({"if-none-match": '"x", ' * 1_637 + '"a"'}, {"etag": '"a"'}),
        ({"if-modified-since": LATER}, {"last-modified": "x", "date": OLD}),
    ],
)
HOPS: Final = dict.fromkeys(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ],
    "v",
) | {"connection": "Close,X-Own ", "x-own": "v", "x-other": "w"}
CONTENT_FIELDS: Final = dict.fromkeys(
    [
        *(
            f"content-{name}"
            for name in ("digest", "disposition", "encoding", "language", "length", "md5", "range", "type")
        ),
        *("etag", "age", "x"),
    ],
    "new",
)
_call("fields from end to end", lambda: dict(validators.end_to_end(Headers(HOPS))))
_call(
    "merged fields",
    lambda: dict(
        validators.merge_headers(
            Headers({"content-type": "old", "age": "5", "x": "old", "y": "old"}), Headers({**CONTENT_FIELDS, **HOPS})
        )
    ),
)
_each(
    "credentials",
    variants.are_credentials,
    [
        "authorization",
        "cookie",
        "x-token",
        "secret",
        "x-session",
        "api-key",
        "signature",
        "password",
        "credential",
        "account",
        "customer",
        "impersonate",
        "on-behalf-of",
        "organization",
        "organisation",
        "tenant",
        "user",
        "user-agent",
        "x-user-agent",
        "accept",
    ],
)
_each(
    "normalised",
    lambda pair: variants.normalise(*pair),
    [("a", None), ("a", " B , c"), ("accept-language", "FR, De"), ("a", " B "), ("accept-language", "FR")],
)
_each(
    "selecting",
    lambda vary: variants.selecting_fields(
        Headers({"vary": vary}), {"accept": "A, b", "accept-language": "FR , de", "authorization": "s"}
    ),
    (
        "",
        "Accept",
        "accept, Accept-Language , authorization,",
        "*",
        "accept, *",
        "a b",
        "é",
        "x-none",
        ",".join(f"n{number:02}" for number in range(32)),
        ",".join(f"n{number}" for number in range(33)),
        "a," * 2_048,
        "a," * 2_048 + "a",
    ),
)
_call(
    "what matches",
    lambda: [
        variants.matches((("accept", "a,b"), ("x", None)), fields)
        for fields in ({"accept": "a , b"}, {"accept": "a"}, {"accept": "a,b", "x": ""}, {})
    ],
)
for _accept in (
    "",
    " ",
    "*/*",
    "*",
    "text/*",
    "application/*+json",
    "application/json",
    "application/json;q=0",
    "application/json; q=0.000",
    "application/json;q = 0.0, */*",
    "TEXT/Html;q=0.1",
    "text/csv, application/*",
    "application/json;q=0.5",
    "application/json;q=0.01",
):
    _each(
        f"admits {_accept!r}",
        partial(variants.admits, _accept),
        ("", "application/json", "application/hal+json; x=y", "text/html", "TEXT/HTML", "x"),
    )

# ------------------------------------------------------------------------------------------- stored responses


def _stored(
    content: bytes = b"one", *, fields: dict[str, str] | None = None, delay: float = 1.5, status: int = 200, **more: str
) -> StoredResponse | None:
    return StoredResponse.of(answer_of(content, status=status, **more), fields or {}, delay=delay)


def _kept(content: bytes = b"one", **more: Any) -> StoredResponse:
    given: dict[str, Any] = {"cache_control": "max-age=60", **more}
    found = _stored(content, **given)
    assert found is not None
    return found


_each(
    "stored",
    lambda more: _stored(**more),
    [
        {},
        {"cache_control": "max-age=60"},
        {"etag": '"1"'},
        {"last_modified": OLD},
        {"cache_control": "max-age=0"},
        {"cache_control": "max-age=0", "etag": '"1"'},
        {"vary": "*", "etag": '"1"'},
        {"vary": "Accept", "etag": '"1"', "fields": {"accept": "A,  B"}},
        {"etag": '"1"', "status": 206},
        {"status": 204, "cache_control": "max-age=5", "connection": "x", "x": "1", "age": "7"},
        {"expires": LATER, "delay": -3.0},
    ],
)
SERVED: Final[tuple[dict[str, str | None], ...]] = (
    {},
    {"no-cache": ""},
    {"max-age": "10"},
    {"max-age": "9"},
    {"max-age": "11"},
    {"min-fresh": "48"},
    {"min-fresh": "49"},
    {"min-fresh": "50"},
    {"max-age": "x"},
    {"max-stale": "100"},
    {"max-age": None},
)
for _seconds in (-1, 0, 8, 9, 10, 58, 59, 60):
    _each(
        f"served after {_seconds} s",
        lambda wishes, seconds=_seconds: (
            _kept().may_serve(NOON + timedelta(seconds=seconds), wishes),
            _kept().age(NOON + timedelta(seconds=seconds)),
        ),
        SERVED,
    )
_call("a response from the cache", lambda: _kept(x="1").response(NOON + timedelta(seconds=9.9)))
_call(
    "a response that a 304 renewed",
    lambda: _kept(etag='"1"').merged(answer_of(b"", status=304, url=f"{URL}/other", etag='"2"', age="3")),
)
VARIANTS: Final = (
    _kept(b"plain", content_type="text/plain"),
    _kept(b"fr", vary="accept-language", fields={"accept-language": "FR"}, content_type="application/json"),
    _kept(b"de", vary="accept-language", fields={"accept-language": "de"}),
    _kept(b"plain2", fields={"accept": "text/html"}, content_type="text/html"),
)
_each(
    "select",
    lambda fields: [
        (found := select(each, fields)) and found.content
        for each in ((), VARIANTS[:1], VARIANTS[3:], VARIANTS, VARIANTS[::-1])
    ],
    (
        {},
        {"accept-language": "fr"},
        {"accept-language": "de"},
        {"accept": "text/html"},
        {"accept": "text/plain"},
        {"accept": "image/png"},
    ),
)
_call(
    "bounded variants",
    lambda: [
        [len(one.content) for one in store.bounded(tuple(_kept(b"x" * size) for size in sizes), 5)]
        for sizes in ((), (5,), (6,), (1, 9, 2), range(12), (1,) * 9)
    ],
)
_call(
    "the size of variants",
    lambda: [store.size_of(key, each) for key in ("", "abc") for each in ((), VARIANTS[:1], VARIANTS)],
)

ROW: Final = pack(
    (_kept(b"one", etag='"1"', vary="accept", fields={"accept": "A"}), _kept(b"", x="é"), _kept(b"three"))
)
_call("the bytes of variants", lambda: ROW)
_call("variants of bytes", lambda: unpack(ROW))
_call("no variants of bytes", lambda: unpack(pack(())))
_each(
    "variants of damaged bytes",
    unpack,
    (
        b"",
        b"1",
        b"2" + ROW[1:],
        ROW[:8],
        ROW[:-1],
        ROW[:5] + b"\x00" + ROW[6:],
        b"1\x00\x00\x00\x00",
        b"1" + b"\x00" * 8,
    ),
)


def _row(described_as: bytes, bodies: bytes = b"") -> bytes:
    import zlib

    rest = len(described_as).to_bytes(4, "big") + described_as + bodies
    return b"1" + zlib.crc32(rest).to_bytes(4, "big") + rest


_each(
    "variants of other metadata",
    lambda text: unpack(_row(text)),
    (b"", b"{}", b"5", b"[5]", b"[{}]", b'[{"length": "x"}]', b"\xff", b"[]"),
)

# ------------------------------------------------------------------------------------------- partitions


class _Account:
    def __init__(self, partition: object) -> None:
        self.partition = partition


_call("a partition", lambda: Partition.of("a", "b\ud800").prefix)
_call(
    "other partitions",
    lambda: len({Partition.of(*names).prefix for names in (("a", "b"), ("ab",), ("b", "a"), ("a",), ())}),
)
_call(
    "a partition of a secret",
    lambda: (
        Partition.of_secret("s\ud800", "a").prefix,
        Partition.of_secret("s").prefix,
        Partition.of_secret("s").is_lasting,
    ),
)
_call(
    "a partition of its own",
    lambda: (
        len(Partition.unnamed().prefix),
        Partition.unnamed().is_lasting,
        Partition.unnamed() == Partition.unnamed(),
    ),
)


def _chosen(credentials: object, name: Any, must_last: bool) -> Any:
    found = choose_partition(credentials, name, must_last=must_last)
    return (found.prefix if found.is_lasting else len(found.prefix), found.is_lasting)


for _lasts in (True, False):
    for _label, _credentials in {
        "nothing": None,
        "an account": _Account(Partition.of("x")),
        "an account of its own": _Account(Partition("p", is_lasting=False)),
        "another account": _Account("x"),
    }.items():
        for _name in (None, "", "alice", 5):
            _call(f"partition of {_label} named {_name!r}, lasting: {_lasts}", _chosen, _credentials, _name, _lasts)

# ------------------------------------------------------------------------------------------- stores


class _Recording:
    """A store that records what is asked of it, and fails where it is told to."""

    is_persistent = False

    def __init__(self, inner: Any | None = None) -> None:
        self.inner = MemoryCache() if inner is None else inner
        self.calls: list[Any] = []
        self.failing: set[str] = set()
        self.versions: dict[str, int] = {}

    async def _do(self, act: str, key: str, *rest: Any) -> Any:
        shown = [self._shown(key, part) for part in rest]
        self.calls.append((act, key, *shown))
        if act in self.failing:
            raise StellantisError(f"{act} failed with token=abc")
        return await getattr(self.inner, act)(key, *rest)

    def _shown(self, key: str, part: Any) -> Any:
        if isinstance(part, tuple):
            return [
                (one.content, one.headers.get("etag"), one.selection, one.initial_age, one.received_at - NOON)
                for one in part
            ]
        return "as loaded" if part == self.versions.get(key) else "another version"

    def ordered(self) -> list[Any]:
        """Return the calls; keys that are forgotten one after the other by their names: a set has no order."""
        groups = groupby(self.calls, lambda call: call[0])
        return [call for act, group in groups for call in (sorted(group) if act == "forget" else group)]

    async def load(self, key: str) -> StoredVariants:
        found: StoredVariants = await self._do("load", key)
        self.versions[key] = found.version
        return found

    async def save(self, key: str, variants: tuple[StoredResponse, ...], version: int) -> None:
        await self._do("save", key, variants, version)

    async def forget(self, key: str) -> None:
        await self._do("forget", key)

    async def clear(self, prefix: str = "") -> None:
        await self._do("clear", prefix)


async def _loaded(cache: Any, *keys: str) -> Any:
    return [
        ([one.content for one in found.variants], found.version, found.is_current)
        for found in [await cache.load(key) for key in keys]
    ]


async def _used(cache: Any) -> Any:
    """Use a store: save, forget, clear, with versions that are old and new, until others are dropped."""
    told: list[Any] = [await _loaded(cache, "a")]
    first = (await cache.load("a")).version
    await cache.save("a", (_kept(b"1"),), first)
    told.append(await _loaded(cache, "a", "b"))
    await cache.save("a", (_kept(b"old"),), first)
    told.append(await _loaded(cache, "a"))
    await cache.save("a", (_kept(b"2"), _kept(b"x" * 3_000), _kept(b"3")), (await cache.load("a")).version)
    told.append(await _loaded(cache, "a"))
    version = (await cache.load("b")).version
    await cache.forget("b")
    await cache.save("b", (_kept(b"gone"),), version)
    told.append(await _loaded(cache, "a", "b"))
    for number in range(9):
        key = f"k{number}"
        await cache.save(key, (_kept(b"y" * 100),), (await cache.load(key)).version)
        told.append((number, await _loaded(cache, "a", "b", "k0", key)))
    await cache.clear("k8")
    told.append(await _loaded(cache, "a", "k7", "k8"))
    late = (await cache.load("z")).version
    await cache.clear()
    await cache.save("z", (_kept(b"late"),), late)
    told.append(await _loaded(cache, "z", "k7"))
    await cache.save("z", (), (await cache.load("z")).version)
    return [
        *told,
        await _loaded(cache, "z"),
        repr(cache) if isinstance(cache, MemoryCache) else "",
        getattr(cache, "size", None),
        cache.is_persistent,
    ]


async def _repr_of(cache: SQLiteCache, path: Path) -> str:
    return repr(cache)


async def _used_file(cache: SQLiteCache, path: Path) -> Any:
    return await _used(cache)


async def _in_a_file(use: Callable[[Any, Path], Any], *args: Any, **options: Any) -> Any:
    with tempfile.TemporaryDirectory(prefix="outcome-") as folder:
        path = Path(folder, "c.db")
        async with SQLiteCache(path, *args, **options) as cache:
            found = await use(cache, path)
            return _without(found, folder)


def _without(value: Any, folder: str) -> Any:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}".replace(folder, "F")
    return value.replace(folder, "F") if isinstance(value, str) else value


for _limit in (9_999, 10_000, 10_001):
    _call(f"memory of {_limit} bytes", lambda limit: repr(MemoryCache(limit)), _limit)
    _call(f"file of {_limit} bytes", _in_a_file, _repr_of, _limit)


for _options in ({}, {"max_body": 3_000}, {"max_body": 2_999}, {"max_body": 0}):
    _call(f"the use of memory {_options}", lambda options: _used(MemoryCache(10_000, **options)), _options)
    _add(
        f"the use of a file {_options}",
        partial(lambda options, _: _in_a_file(_used_file, 10_000, **options), _options),
    )
for _size in (1_999, 2_000, 2_500):
    _call(f"memory of bodies of {_size}", lambda size: _bodies(MemoryCache(16_000), size), _size)
    _add(
        f"file of bodies of {_size}",
        partial(lambda size, _: _in_a_file(lambda cache, path: _bodies(cache, size), 16_000), _size),
    )


async def _bodies(cache: Any, size: int) -> Any:
    for number in range(3):
        await cache.save(f"k{number}", (_kept(b"x" * (size + number)),), (await cache.load(f"k{number}")).version)
    return await _counts(cache, 3), getattr(cache, "size", None)


def _limit_of(count: int) -> int:
    return sum(size_of(f"k{number}", (_kept(b"x" * (9_000 + number)),)) for number in range(count))


for _less in (0, 1):
    _call(f"memory of exactly three resources less {_less} bytes", lambda less: _bodies(_exact(less), 9_000), _less)
    _add(
        f"file of exactly three resources less {_less} bytes",
        partial(
            lambda less, _: _in_a_file(lambda cache, path: _bodies(cache, 9_000), _limit_of(3) - less, max_body=10_000),
            _less,
        ),
    )


def _exact(less: int) -> MemoryCache:
    return MemoryCache(_limit_of(3) - less, max_body=10_000)


async def _counts(cache: Any, count: int) -> Any:
    return [len((await cache.load(f"k{number}")).variants) for number in range(count)]


async def _damaged(statement: str, cache: Any, path: Path) -> Any:
    await cache.save("a", (_kept(b"1"),), (await cache.load("a")).version)
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    try:
        told = [await _loaded(cache, "a"), await cache.forget("a"), await _loaded(cache, "a")]
    except StellantisError as error:
        return f"{type(error).__name__} of {getattr(error, 'path', None)}: {error}"
    with sqlite3.connect(path) as connection:
        told.append(connection.execute("SELECT * FROM counters").fetchall())
    connection.close()
    return told


for _statement in (
    "UPDATE responses SET content = x'00'",
    "UPDATE responses SET content = 'text'",
    "UPDATE responses SET content = 5",
    "UPDATE responses SET version = 'x'",
    "UPDATE responses SET size = 'x'",
    "DELETE FROM counters WHERE name = 'last_version'",
    "UPDATE counters SET value = 'x' WHERE name = 'size'",
    "UPDATE responses SET content = NULL",
    "UPDATE counters SET value = 1000000000 WHERE name = 'size'",
):
    _call(f"a file after {_statement}", _in_a_file, partial(_damaged, _statement))

# ------------------------------------------------------------------------------------------- stores of partitions


async def _partitioned(failing: str = "") -> Any:
    """Use the store of a partition while one act fails, and afterwards."""
    recording = _Recording()
    copies = PartitionResponses(recording, "p:")
    told: list[Any] = []
    for failures in ({failing}, {failing}, set[str]()):
        recording.failing = failures
        found = await copies.load("a")
        await copies.save("a", (_kept(b"1"),), found)
        with copies.writing("a"), copies.writing("a"):
            told.append(("writing", await copies.load("a")))
            await copies.save("a", (_kept(b"2"),), found)
        told.append(("written", await copies.load("a")))
        copies.condemn(["b"])
        await copies.save("b", (_kept(b"3"),), StoredVariants((), 0))
        told += [
            ("condemned", await copies.load("b")),
            await copies.forget(["b"]),
            await copies.load("c"),
            await copies.clear(),
        ]
        await copies.save("d", (_kept(b"4"),), StoredVariants((), 0, is_current=False))
        told.append(await copies.load("d"))
        recording.calls.append("---")
    return told, recording.ordered()


for _act in ("", "load", "save", "forget", "clear"):
    _add(f"a partition whose {_act or 'nothing'} fails", partial(lambda act, _: _partitioned(act), _act))


async def _condemned(count: int) -> Any:
    recording = _Recording()
    recording.failing = {"forget"}
    copies = PartitionResponses(recording, "p:")
    done = await copies.forget([f"k{number}" for number in range(count)])
    recording.failing = set()
    return (
        done,
        await copies.load("other"),
        await copies.forget(()),
        (await copies.load("k1")).is_current,
        len(recording.calls),
    )


for _count in (999, 1_000, 1_001):
    _call(f"{_count} keys that are not forgotten", _condemned, _count)

# ------------------------------------------------------------------------------------------- the cache around a Fetch

Step = tuple[Any, ...]


async def _steps(requests: list[Request], steps: Sequence[Step], failing: str = "") -> Any:
    """Take steps: ("wait", seconds), ("answer", content, {fields}), ("fail", error), or a request."""
    server = OriginServer(requests=requests)
    server.answer("one", cache_control="max-age=60", etag='"1"')
    recording = _Recording()
    recording.failing = {failing}
    cache = server.cached(recording)
    told: list[Any] = []
    for kind, *rest in steps:
        if kind == "wait":
            server.wait(rest[0])
        elif kind == "answer":
            content, fields = rest
            server.answer(content, **fields)
        elif kind == "fail":
            server.answers[rest[1] if len(rest) > 1 else URL] = rest[0]
        else:
            request = Request(
                url=rest[1] if len(rest) > 1 else URL,
                method=kind,
                headers=rest[0] if rest else {},
                content=rest[2] if len(rest) > 2 else None,
            )
            count = len(requests)
            try:
                found: Response = await cache(request)
                told.append(
                    (
                        kind,
                        found.status,
                        found.content,
                        found.from_cache,
                        found.initial_age,
                        found.headers.get("age"),
                        len(requests) - count,
                    )
                )
            except StellantisError as error:
                told.append((kind, error, len(requests) - count))
    return [*told, *recording.ordered()]


GET: Final = ("GET",)
STEPS: Final[dict[str, tuple[Step, ...]]] = {
    "a hit": (GET, ("wait", 59), GET, ("wait", 1), GET),
    "a renewal": (
        GET,
        ("wait", 61),
        ("answer", "", {"status": 304, "etag": '"1"', "cache_control": "max-age=9"}),
        GET,
        ("wait", 8),
        GET,
        ("wait", 1),
        GET,
    ),
    "a renewal of another tag": (GET, ("wait", 61), ("answer", "", {"status": 304, "etag": '"2"'}), GET),
    "a change": (GET, ("wait", 61), ("answer", "two", {"cache_control": "max-age=9"}), GET, GET),
    "a change that is not stored": (GET, ("wait", 61), ("answer", "two", {"cache_control": "no-store"}), GET, GET),
    "a reload": (GET, ("GET", {"Cache-Control": "no-cache"}), GET, ("GET", {"Pragma": "no-cache"})),
    "a request that stores nothing": (GET, ("GET", {"cache-control": "no-store"}), GET),
    "only if cached": (
        ("GET", {"Cache-Control": "only-if-cached"}),
        GET,
        ("GET", {"Cache-Control": "only-if-cached"}),
        ("wait", 99),
        ("GET", {"Cache-Control": "only-if-cached"}),
    ),
    "the caller's ages": (
        GET,
        ("wait", 5),
        ("GET", {"Cache-Control": "max-age=5"}),
        ("GET", {"Cache-Control": "max-age=4"}),
        ("GET", {"Cache-Control": "min-fresh=61"}),
    ),
    "the caller's conditions": (
        ("GET", {"If-None-Match": '"1"'}),
        GET,
        ("GET", {"If-None-Match": '"1"'}),
        ("GET", {"If-None-Match": '"2"'}),
        ("wait", 99),
        ("answer", "", {"status": 304, "etag": '"1"'}),
        ("GET", {"If-None-Match": '"1"'}),
        GET,
    ),
    "the caller's conditions, another tag": (
        GET,
        ("wait", 99),
        ("answer", "", {"status": 304, "etag": '"2"'}),
        ("GET", {"If-None-Match": '"2"'}),
        GET,
    ),
    "the caller's conditions, no tag": (
        GET,
        ("wait", 99),
        ("answer", "", {"status": 304}),
        ("GET", {"If-None-Match": '"2"'}),
    ),
    "the caller's conditions, changed": (
        GET,
        ("wait", 99),
        ("answer", "two", {"cache_control": "max-age=60"}),
        ("GET", {"If-Modified-Since": OLD}),
        GET,
    ),
    "ranges": (
        ("GET", {"Range": "bytes=0-1"}),
        ("GET", {"If-Match": "x"}),
        ("GET", {"If-Range": "x"}),
        ("GET", {"If-Unmodified-Since": OLD}),
        GET,
    ),
    "a body": (("GET", {}, URL, b"x"), GET),
    "variants": (
        ("answer", "fr", {"vary": "Accept-Language", "cache_control": "max-age=60"}),
        ("GET", {"Accept-Language": "fr"}),
        ("answer", "de", {"vary": "Accept-Language", "cache_control": "max-age=60"}),
        ("GET", {"Accept-Language": "de"}),
        ("GET", {"Accept-Language": "FR"}),
        ("GET", {"Accept-Language": "de", "Cache-Control": "no-cache"}),
        ("GET", {"Accept-Language": "fr"}),
    ),
    "accounts": (
        GET,
        ("GET", {"Authorization": "a"}),
        ("GET", {"authorization": "a"}),
        ("GET", {"Authorization": "b"}),
        ("GET", {"X-Tenant": "t"}),
        ("GET", {"User-Agent": "u"}),
    ),
    "spellings": (
        ("GET", {}, "HTTPS://API.example:443/orders#x"),
        GET,
        ("fail", answer_of(cache_control="max-age=5", url="https://api.example"), "https://api.example"),
        ("GET", {}, "https://api.example"),
        ("fail", answer_of(cache_control="max-age=5", url="https://api.example/"), "https://api.example/"),
        ("GET", {}, "https://api.example/"),
        ("fail", answer_of(cache_control="max-age=5", url="https://api.example?x"), "https://api.example?x"),
        ("GET", {}, "https://api.example?x"),
    ),
    "an untrusted origin": (("GET", {}, "https://evil.example/"),),
    "not found": (GET, ("wait", 99), ("fail", answer_of(status=404)), GET, ("answer", "two", {"etag": '"1"'}), GET),
    "gone": (GET, ("wait", 99), ("fail", answer_of(status=410)), GET, GET),
    "refused": (
        GET,
        ("wait", 99),
        ("fail", answer_of(status=403)),
        GET,
        ("answer", "two", {"cache_control": "max-age=60"}),
        GET,
    ),
    "later": (
        GET,
        ("wait", 99),
        ("fail", answer_of(status=429)),
        GET,
        ("fail", answer_of(status=408)),
        GET,
        ("fail", answer_of(status=425)),
        GET,
        ("fail", answer_of(status=500)),
        GET,
        ("fail", answer_of(status=400)),
        GET,
        ("fail", answer_of(status=499)),
        GET,
    ),
    "the network": (GET, ("wait", 99), ("fail", NetworkError("lost")), GET),
    "a redirect": (("fail", answer_of("moved", url="https://api.example/else", cache_control="max-age=60")), GET, GET),
    "a fragment of the answer": (("fail", answer_of("x", url=f"{URL}#y", cache_control="max-age=60")), GET, GET),
    "other safe methods": (("HEAD",), ("OPTIONS",), ("TRACE",), GET),
    "a write": (
        GET,
        ("fail", answer_of(status=204)),
        ("PUT",),
        ("answer", "two", {"cache_control": "max-age=60"}),
        GET,
    ),
    "a write that is refused": (GET, ("fail", answer_of(status=409)), ("PUT",), GET),
    "a write that fails": (
        GET,
        ("fail", answer_of(status=500)),
        ("PUT",),
        ("answer", "two", {"cache_control": "max-age=60"}),
        GET,
    ),
    "a write that may be sent": (
        GET,
        ("fail", NetworkError("lost", sent=True)),
        ("POST",),
        ("answer", "two", {"cache_control": "max-age=60"}),
        GET,
    ),
    "a write that was not sent": (GET, ("fail", NetworkError("lost", sent=False)), ("DELETE",), GET),
    "a write that waits": (GET, ("fail", BudgetExhaustedError("none")), ("PATCH",), GET),
    "a write that changes others": (
        GET,
        ("fail", answer_of("a", url="https://api.example/a", cache_control="max-age=60"), "https://api.example/a"),
        ("GET", {}, "https://api.example/a"),
        (
            "fail",
            answer_of(
                status=201,
                location="/a#x",
                content_location="https://elsewhere.example/a",
                link='</b>; rel="invalidates", </c>; rel="next", </d\xe9>; rel=invalidates',
            ),
        ),
        ("POST",),
        ("GET", {}, "https://api.example/a"),
    ),
    "no date": (("answer", "one", {"expires": LATER}), GET, ("wait", 99), GET, ("wait", 1), GET),
    "sixteen hits": (GET, *(GET,) * 17),
}
for _label2, _taken in STEPS.items():
    _add(f"cache: {_label2}", partial(lambda taken, requests: _steps(requests, taken), _taken))
for _act in ("load", "save", "forget"):
    for _label2 in ("a hit", "a renewal", "a write", "refused", "not found"):
        _add(
            f"cache: {_label2}, while {_act} fails",
            partial(lambda taken, act, requests: _steps(requests, taken, act), STEPS[_label2], _act),
        )


@attrs.frozen
class _Prioritized:
    """A fetch with options."""

    told: list[Any]

    async def __call__(self, request: Request, /) -> Response:
        raise NetworkError("no")

    def with_options(self, *, priority: Any = None, max_wait: float | None = None) -> "_Prioritized":
        self.told.append((priority, max_wait))
        return _Prioritized(self.told)


def _prioritized() -> Any:
    told: list[Any] = []
    server = OriginServer()
    plain = server.cached()
    cache = CachedFetch(_Prioritized(told), PartitionResponses(MemoryCache(), "p"), plain._origins, server.clock)
    other = cache.with_options(priority="high", max_wait=5.0)
    fetch: Any = server
    return (
        told,
        other is cache,
        type(other.inner).__name__,
        plain.with_options(max_wait=1.0) is plain,
        uncached(plain) is fetch,
        uncached(fetch) is fetch,
        (other._copies is cache._copies, other._origins is cache._origins, other._clock == cache._clock),
    )


_call("options of a cache", _prioritized)
_call("an instant", lambda: described(datetime(2024, 1, 1, tzinfo=UTC)))
_call("memory as it is made", lambda: repr(MemoryCache()))
_call("a partition of no account", lambda: choose_partition(None, None, must_last=True) == Partition.of("anonymous"))
for _age in (49, 50, 51):
    _call(
        f"a response that is {_age} s old, to be fresh for 10 s more",
        lambda age: [
            found.may_serve(found.received_at + timedelta(seconds=age - found.initial_age), wishes)
            for found in [_kept(delay=0.0)]
            for wishes in ({"min-fresh": "10"}, {"max-age": "50"}, {"min-fresh": "10", "max-age": "50"}, {})
        ],
        _age,
    )
