"""Redirect URLs in pasted text."""

from __future__ import annotations

import hmac
import html
import re
from collections.abc import Callable, Iterator
from itertools import islice
from urllib.parse import parse_qsl, unquote

import attrs

from stellantis_hal.hal.redaction import mask_text

__all__ = ["describe_paste", "find_redirect", "is_same"]

# The text may come from anyone: each bound below keeps the time for one text well under a second.
_MAX_TEXT = 32_768
_MAX_VIEWS = 24
_MAX_DEPTH = 3
_MAX_STARTS = 32
_MAX_QUERY = 4_096
_MAX_PIECES = 32
_MAX_CANDIDATES = 2_048
_MAX_HOSTS = 3

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_BLANKS = re.compile(r"\s+")
_CLOSING = {
    '"': '"',
    "'": "'",
    "`": "`",
    "<": ">",
    "(": ")",
    "[": "]",
    "{": "}",
    "\u201c": "\u201d",
    "\u201d": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u2018": "\u2019",
    "\u2019": "\u2019",
    "\u201a": "\u2018\u2019",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab",
    "\u2039": "\u203a",
    "\u203a": "\u2039",
}
_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2039\u203a"
# What an encoded query never contains; the first pattern has what some servers do not encode, too.
_STOPS = (re.compile(rf"""["'`<>|\\^{{}}()\[\]{_QUOTES}]"""), re.compile(rf'["`<>|\\^{{}}{_QUOTES}]'))
_TRAILING = ".,;:!?\u2026\u3001\u3002\uff01\uff0c\uff1b"
_EMPHASIS = "*_~"
_PARAMETERS = frozenset({"code", "error", "state"})
_ANSWER = re.compile(r"(?:code|error|state)=")
_QUERY_START = re.compile(r"[?#](?=\s*[\w.~%-]{1,64}=)|(?<![\w&.%-])(?=(?:code|error|state)=)")
_CUT = re.compile(r"[=&?%]$|%[0-9A-Fa-f]$")
_QUERY_PIECE = re.compile(r"[\w.~%&=+:,;@/?!$*-]+")
_WORD = re.compile(r"[A-Z][a-z]{2,}[.,:!]?")
_ADDRESS = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,31})://([^\s/?#\"'<>]{0,255})")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@attrs.frozen
class _Candidate:
    """A query that may be the one of a redirect: without blanks, still percent-encoded."""

    query: str
    has_base: bool
    """Whether it follows the redirect URI."""

    def rank(self, state: str | None) -> int | None:
        """Return how well it fits, 0 best; None where it is no redirect."""
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        ends_consent = any(values.get("code", ())) or "error" in values
        if ends_consent and any(state is None or is_same(value, state) for value in values.get("state", ())):
            is_repeated = any(len(values.get(name, ())) > 1 for name in _PARAMETERS)
            return 1 if is_repeated else 0  # two redirects that were joined, or a forged one
        if not self.has_base or not values.keys() & _PARAMETERS:
            return None
        if not ends_consent:
            return 4
        return 2 if "state" in values else 3


def find_redirect(text: str, redirect_uri: str, *, state: str | None = None) -> str | None:
    """Return the redirect URL in a text; None where there is none.

    It is found in quotes of any kind, in ``curl '…'``, in a browser's "Failed to launch '…'", in ``<…>``, in Markdown
    links, percent-encoded once more, with HTML, shell or mail escapes, wrapped over lines, with text around it.
    Where there are several, the one with the state wins, then one with a code or an error.

    Args:
        text: what was pasted; at most its first 32,768 characters are read.
        redirect_uri: the registered address that the redirect goes to.
        state: the state of the request. With it, an address that is not ``redirect_uri`` (a proxy changed it), or the
            query alone, is a redirect too.

    Example:
        >>> find_redirect("Failed to launch 'mymap://back?code=abc&amp;state=xyz' because …", "mymap://back")
        'mymap://back?code=abc&state=xyz'
        >>> find_redirect("https://login.example.com/authorize?state=xyz", "mymap://back")
    """
    found: str | None = None
    best = 5
    seen: set[_Candidate] = set()
    candidates = _candidates(_INVISIBLE.sub("", text[:_MAX_TEXT]), redirect_uri, with_others=state is not None)
    for candidate in islice(candidates, _MAX_CANDIDATES):
        if candidate in seen:
            continue
        seen.add(candidate)
        rank = candidate.rank(state)
        if rank is not None and rank < best:
            best, found = rank, candidate.query
            if best == 0:
                break
    return None if found is None else f"{_base(redirect_uri)}?{found}"


def is_same(state: str, expected: str) -> bool:
    """Return whether two states are the same, in constant time."""
    return hmac.compare_digest(state.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))


def describe_paste(text: str, authorize_url: str = "") -> str:
    """Return what a text without a redirect contains, for an error: its hosts or its length, nothing else of it.

    Args:
        text: what was pasted.
        authorize_url: the log-in page, which is named as such.
    """
    text = _INVISIBLE.sub("", text[:_MAX_TEXT]).strip()
    if not text:
        return "the text is empty"
    login = _ADDRESS.match(authorize_url)
    hosts: dict[str, None] = {}
    for scheme, authority in _ADDRESS.findall(text):
        address = f"{scheme.lower()}://{authority.rpartition('@')[2].lower()}"
        if login is not None and address == f"{login[1]}://{login[2]}".lower():
            address += " (the log-in page, not where it leads at its end)"
        hosts[mask_text(address)[:120]] = None
    if not hosts:
        return f"the text has {len(text)} characters and no address"
    shown = ", ".join(list(hosts)[:_MAX_HOSTS]) + (", …" if len(hosts) > _MAX_HOSTS else "")
    return f"the text has only addresses of {shown}" if len(hosts) > 1 else f"the text has only an address of {shown}"


# ------------------------------------------------------------------------------------------------- views


def _views(text: str) -> Iterator[str]:
    """Yield the text, and the text without each kind of escape, the least changed first."""
    seen = {text}
    views = [text]
    for _ in range(_MAX_DEPTH):
        yield from views
        unescaped: list[str] = []
        for view in views:
            for unescape in _ESCAPES:
                other = unescape(view)
                if other not in seen and len(seen) < _MAX_VIEWS:
                    seen.add(other)
                    unescaped.append(other)
        views = unescaped
    yield from views


def _unescape_shell(text: str) -> str:
    r"""Undo the escapes of shells and JSON: ``\&``, ``^&`` of Windows, ``\u0026``, lines continued by ``\``."""
    text = re.sub(r"\\u00([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), text)
    text = re.sub(r"[\\^][ \t]*\r?\n[ \t]*", "", text)
    return re.sub(r"[\\^](.)", r"\1", text)


def _unescape_mail(text: str) -> str:
    """Undo the quoted-printable encoding of mails."""
    if "=3D" not in text:
        return text
    text = re.sub(r"=[ \t]*\r?\n", "", text)
    return re.sub(r"=([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)


def _without_quote_marks(text: str) -> str:
    """Remove the ``>`` with which a mail quotes another."""
    return re.sub(r"(?m)^[ \t]*(?:>[ \t]?)+", "", text)


_ESCAPES: tuple[Callable[[str], str], ...] = (
    html.unescape,
    unquote,
    _unescape_shell,
    _unescape_mail,
    _without_quote_marks,
)


# ------------------------------------------------------------------------------------------------- candidates


def _base(redirect_uri: str) -> str:
    return re.split(r"[?#]", redirect_uri, maxsplit=1)[0]


def _base_pattern(redirect_uri: str) -> re.Pattern[str]:
    """Return a pattern of a redirect URI and the sign that begins its query, blanks between any characters."""

    def spaced(part: str) -> str:
        return "".join(rf"{re.escape(sign)}\s*" for sign in part)

    scheme, colon, rest = _base(redirect_uri).partition(":")
    slashes = "//" if rest.startswith("//") else ""
    authority, slash, path = rest[len(slashes) :].partition("/")
    port = _DEFAULT_PORTS.get(scheme.lower(), "")
    if port:
        authority = authority.removesuffix(f":{port}")
    ports = rf"(?:{spaced(':' + port)})?" if port and ":" not in authority.rpartition("]")[2] else ""
    path = (slash + path).rstrip("/")
    origin = spaced(scheme + colon + slashes + authority)
    return re.compile(rf"(?<![A-Za-z0-9+.-])(?i:{origin}){ports}{spaced(path)}(?:/\s*)?(?:\?\s*#?|#)")


def _candidates(text: str, redirect_uri: str, *, with_others: bool) -> Iterator[_Candidate]:
    base = _base_pattern(redirect_uri)
    for view in _views(text):
        for start in _starts(base, view):
            for query in _queries(view, start.start(), start.end()):
                yield _Candidate(query, has_base=True)
    if not with_others:
        return
    for view in _views(text):
        for start in _starts(_QUERY_START, view):
            for query in _queries(view, start.start(), start.end()):
                yield _Candidate(query, has_base=False)


def _starts(pattern: re.Pattern[str], view: str) -> Iterator[re.Match[str]]:
    """Yield the matches that are followed by a parameter of a redirect."""
    for start in islice(pattern.finditer(view), _MAX_STARTS):
        following = _BLANKS.sub("", view[start.end() : start.end() + _MAX_QUERY])
        if _ANSWER.search(following) is not None:
            yield start


def _queries(view: str, begin: int, start: int) -> Iterator[str]:
    """Yield the queries that may begin at ``start``, the likeliest first; the address begins at ``begin``."""
    limit = min(len(view), start + _MAX_QUERY)
    while begin > 0 and view[begin - 1].isspace():
        begin -= 1
    opening = view[begin - 1] if begin > 0 else ""
    ends = [end for closing in _CLOSING.get(opening, "") if (end := view.find(closing, start, limit)) >= 0]
    if ends:
        yield _join(_STOPS[1].split(view[start : min(ends)], maxsplit=1)[0])
    for stops in _STOPS:
        stop = stops.search(view, start, limit)
        region = view[start : limit if stop is None else stop.start()]
        pieces = [piece.end() for piece in re.finditer(r"\S+", region)][:_MAX_PIECES]
        for end in (_likely_end(region, pieces), *pieces):
            query = _join(region[:end])
            yield query.rstrip(_TRAILING + (opening if opening in _EMPHASIS else ""))
            yield query


def _likely_end(region: str, ends: list[int]) -> int:
    """Return where the query ends: a line break inside it is kept apart from text after it."""
    for end in ends[:-1]:
        query = _join(region[:end])
        names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        is_whole = "error" in names or {"code", "state"} <= names
        if is_whole and _CUT.search(query) is None and not _goes_on(region[end:]):
            return end
    return ends[-1] if ends else 0


def _goes_on(rest: str) -> bool:
    """Return whether a text is the rest of a query that was wrapped: its lines, up to a blank one, are single words."""
    gap = rest[: len(rest) - len(rest.lstrip())]
    if gap.count("\n") != 1:
        return False
    lines = re.split(r"\n\s*\n", rest.strip(), maxsplit=1)[0].splitlines()
    return all(
        _QUERY_PIECE.fullmatch(line.strip()) and "://" not in line and not _WORD.fullmatch(line.strip())
        for line in lines
    )


def _join(region: str) -> str:
    """Return a query without blanks; those inside a description or between scopes are encoded."""
    pairs: list[str] = []
    for pair in region.partition("#")[0].split("&"):
        name, equals, value = pair.partition("=")
        name = _BLANKS.sub("", name)
        if name == "error_description":
            value = _BLANKS.sub("%20", value.strip())
        elif name == "scope":
            value = _BLANKS.sub(lambda found: "" if "\n" in found[0] else "%20", value.strip())
        else:
            value = _BLANKS.sub("", value)
        pairs.append(f"{name}{equals}{value}")
    return "&".join(pairs)
