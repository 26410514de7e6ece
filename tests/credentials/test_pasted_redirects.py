"""Redirect URLs in pasted text."""

import html
import json
import quopri
import time
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.credentials.pasted_redirects import describe_paste, find_redirect
from tests.support.profiles import few_examples

BACK = "mymap://oauth2redirect/fr"
URIS = [BACK, "http://localhost", "http://127.0.0.1:8912/", "https://app.example.org/auth/back?x=1", "com.app:/back"]
PAGE = (
    "https://idpcvs.peugeot.com/am/oauth2/authorize?client_id=my-app&response_type=code"
    "&redirect_uri=mymap%3A%2F%2Foauth2redirect%2Ffr&scope=data%3Atrip&state=st1&code_challenge=abc"
)
CURL = """curl '{}' \\
  -H 'accept: text/html,application/xhtml+xml' \\
  -H 'referer: https://idpcvs.peugeot.com/am/oauth2/authorize?state=st1&client_id=my-app' \\
  --compressed"""
CMD = 'curl ^"{}^" ^\r\n  -H ^"accept: text/html^"'
MAIL = "Hello,\nthis is what I get:\n{}\n\nRegards\nAlice"

WRAPPINGS: dict[str, Callable[[str], str]] = {
    "bare": lambda url: url,
    "with blanks around it": lambda url: f" \n\t{url}\r\n",
    "in single quotes": lambda url: f"'{url}'",
    "in double quotes": lambda url: f'"{url}"',
    "in backticks": lambda url: f"`{url}`",
    "in typographic quotes": lambda url: f"\u201c{url}\u201d",
    "in single typographic quotes": lambda url: f"\u2018{url}\u2019",
    "in German quotes": lambda url: f"\u201e{url}\u201c",
    "in French quotes": lambda url: f"\u00ab\u00a0{url}\u00a0\u00bb",
    "with an opening quote alone": lambda url: f"'{url}",
    "with a closing quote alone": lambda url: f'{url}"',
    "as curl": CURL.format,
    "as curl of Windows": lambda url: CMD.format(url.replace("%", "^%").replace("&", "^&")),
    "as curl with escapes": lambda url: "curl " + url.replace("?", "\\?").replace("&", "\\&").replace("=", "\\="),
    "as the line of Chrome": lambda url: (
        f"Failed to launch '{url}' because the scheme does not have a registered handler."
    ),
    "as the line of Chrome with its place": lambda url: (
        f"VM12:1 Failed to launch '{url}' because … handler. (anonymous)"
    ),
    "in angle brackets": lambda url: f"<{url}>",
    "as a Markdown link": lambda url: f"[the page]({url}) was empty",
    "as a Markdown link of itself": lambda url: f"[{url}]({url})",
    "in bold": lambda url: f"**{url}**",
    "as a link of a chat": lambda url: f"<{url}|the page>",
    "as a Markdown link with a title": lambda url: f'[the page]({url} "Back")',
    "as JSON in JSON": lambda url: json.dumps(json.dumps({"url": url})),
    "as a call of fetch": lambda url: f'fetch("{url}", {{"method": "GET"}});',
    "as PowerShell": lambda url: f'Invoke-WebRequest -UseBasicParsing -Uri "{url}" `\n-Headers @{{"a"="b"}}',
    "with blanks around its signs": lambda url: url.replace("&", " & ").replace("=", " = ").replace("?", " ? "),
    "with Markdown escapes": lambda url: url.replace("_", "\\_").replace("&", "\\&"),
    "as source of a page": lambda url: f"view-source:{url}",
    "in parentheses": lambda url: f"I got here ({url}).",
    "as an attribute of HTML": lambda url: f'<p>See <a href="{html.escape(url)}">this</a></p>',
    "escaped as HTML": html.escape,
    "escaped as HTML in quotes": lambda url: html.escape(f'"{url}"'),
    "as JSON": lambda url: json.dumps({"url": url, "status": 302}),
    "as JSON with escapes": lambda url: json.dumps({"url": url}).replace("&", "\\u0026").replace("/", "\\/"),
    "percent-encoded once more": lambda url: quote(url, safe=""),
    "percent-encoded twice more": lambda url: quote(quote(url, safe=""), safe=""),
    "with the query percent-encoded": lambda url: f"{url.partition('?')[0]}?{quote(url.partition('?')[2], safe='')}",
    "as a parameter of another address": lambda url: f"https://www.google.com/url?q={quote(url, safe='')}&sa=D",
    "as a header": lambda url: f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n",
    "with text before it": lambda url: f"Redirect URL: {url}",
    "with text before and after it": lambda url: f"It says {url} and nothing else.",
    "in a mail": MAIL.format,
    "in a quoted mail": lambda url: "> " + MAIL.format(url).replace("\n", "\n> "),
    "in an encoded mail": lambda url: quopri.encodestring(MAIL.format(url).encode()).decode(),
    "with a full stop": lambda url: f"{url}.",
    "with a Chinese full stop": lambda url: f"{url}\u3002",
    "with an ellipsis": lambda url: f"{url}\u2026",
    "with a comma": lambda url: f"{url}, thanks",
    "with invisible characters": lambda url: f"\ufeff{url[:9]}\u200b{url[9:]}\u200e",
    "with a fragment": lambda url: f"{url}#",
    "after the log-in page": lambda url: f"{PAGE}\n{url}",
    "before the log-in page": lambda url: f"{url}\n{PAGE}",
    "after the redirect of another log-in": lambda url: f"{url.partition('?')[0]}?code=old&state=older\n{url}",
    "before the redirect of another log-in": lambda url: f"{url} {url.partition('?')[0]}?code=old&state=older",
    "in capitals": lambda url: f"{url.partition(':')[0].upper()}:{url.partition(':')[2]}",
}

names = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cf", "Z")), min_size=1, max_size=40)
codes = st.from_regex(r"[A-Za-z0-9_-]([A-Za-z0-9_.~-]{0,60}[A-Za-z0-9_-])?", fullmatch=True)


def redirect(uri: str, parameters: dict[str, str]) -> str:
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters, quote_via=quote)}"


def parameters_of(found: str | None, uri: str) -> dict[str, str]:
    assert found is not None
    assert found.startswith(f"{uri.partition('?')[0]}?")
    values = parse_qs(found.partition("?")[2], keep_blank_values=True)
    return {name: values[name][0] for name in ("code", "state", "scope") if name in values}


@pytest.mark.unmeasured
@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_redirect_is_found_in_each_wrapping(wrapping: str, uri: str) -> None:
    parameters = {"code": "a-code", "scope": "data:trip data:position", "state": "a-state"}
    for pairs in (parameters.items(), reversed(parameters.items())):
        text = WRAPPINGS[wrapping](redirect(uri, dict(pairs)))
        assert parameters_of(find_redirect(text, uri, state="a-state"), uri) == parameters


@pytest.mark.unmeasured
@few_examples()
@given(
    wrapping=st.sampled_from(list(WRAPPINGS.values())),
    uri=st.sampled_from(URIS),
    code=(codes | names).filter(lambda code: not code.endswith(".")),  # at the end it would be a full stop
    state=codes | names,
    code_first=st.booleans(),
)
def test_any_redirect_is_found_in_any_wrapping(
    wrapping: Callable[[str], str], uri: str, code: str, state: str, code_first: bool
) -> None:
    pairs = [("code", code), ("state", state)]
    text = wrapping(redirect(uri, dict(pairs if code_first else pairs[::-1])))
    assert parameters_of(find_redirect(text, uri, state=state), uri) == {"code": code, "state": state}


@pytest.mark.unmeasured
@given(
    code=st.from_regex(r"[a-z0-9-]{8,40}[0-9]", fullmatch=True),
    breaks=st.lists(st.integers(1, 200), max_size=6),
    gap=st.sampled_from(["\n", "\r\n", "\n  ", " ", "\n\t", "\u00a0"]),
    state_first=st.booleans(),
    before=st.sampled_from(["", "$ ", "The address is "]),
)
def test_a_redirect_is_found_wrapped_over_lines(
    code: str, breaks: list[int], gap: str, state_first: bool, before: str
) -> None:
    pairs = [("code", code), ("state", "a-long-state-0123456789")]
    url = redirect(BACK, dict(pairs[::-1] if state_first else pairs))
    if state_first and "\n" not in gap:  # a blank inside the last value does not differ from one after it
        breaks = [place for place in breaks if place < url.index("code=")]
    for place in sorted({place for place in breaks if place < len(url)}, reverse=True):
        url = f"{url[:place]}{gap}{url[place:]}"
    found = find_redirect(before + url, BACK, state="a-long-state-0123456789")
    assert parameters_of(found, BACK) == {"code": code, "state": "a-long-state-0123456789"}


@pytest.mark.parametrize(
    "after", ["\nThanks", "\n\nabc", "\nand then nothing", " and then nothing", "\nhttps://other.test/", " <- this"]
)
def test_text_after_a_code_is_not_part_of_it(after: str) -> None:
    found = find_redirect(f"{BACK}?state=st1&code=abc{after}", BACK, state="st1")
    assert found == f"{BACK}?state=st1&code=abc"


@pytest.mark.parametrize(
    "text",
    [
        "localhost/?code=abc&state=st1",
        "https://localhost/?code=abc&state=st1",
        "http://127.0.0.1:8912/back?code=abc&state=st1",
        "?code=abc&state=st1",
        "code=abc&state=st1",
        "state=st1&code=abc",
        "http://internal:8000/callback#state=st1&code=abc",
        "intent://back?code=abc&state=st1#Intent;scheme=mymap;package=test;end",
    ],
)
def test_the_state_identifies_a_redirect_with_another_address(text: str) -> None:
    found = parameters_of(find_redirect(text, "http://localhost/back", state="st1"), "http://localhost/back")
    assert found == {"code": "abc", "state": "st1"}
    assert find_redirect(text, "http://localhost/back", state="st2") is None
    assert find_redirect(text, "http://localhost/back") is None


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("http://localhost/?code=abc", "http://localhost"),
        ("http://localhost?code=abc", "http://localhost/"),
        ("http://localhost:80/?code=abc", "http://localhost"),
        ("http://localhost/?code=abc", "http://localhost:80/"),
        ("https://app.test:443/back/?code=abc", "https://app.test/back"),
        ("HTTPS://App.Test/back?code=abc", "https://app.test/back"),
        ("https://app.test/back#code=abc", "https://app.test/back"),
        ("https://app.test/back?#code=abc", "https://app.test/back"),
        ("http://[::1]/?code=abc", "http://[::1]"),
    ],
)
def test_an_address_may_be_spelled_in_several_ways(text: str, uri: str) -> None:
    assert parameters_of(find_redirect(text, uri), uri) == {"code": "abc"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        BACK,
        f"{BACK}?",
        f"{BACK}?scope=data:trip",
        PAGE,
        CURL.format(PAGE),
        f"{BACK}ance?code=abc&state=st1x",
        f"x{BACK}?code=abc&state=st1x",
        "mymap://oauth2redirect/FR?code=abc",
        "https://other.test/?code=abc&state=st2",
        "my code=abc",
        "what? error=none",
    ],
)
@pytest.mark.parametrize("state", ["st1", None])
def test_nothing_else_is_taken_for_a_redirect(text: str, state: str | None) -> None:
    assert find_redirect(text, BACK, state=state) is None


pieces = st.sampled_from([*"?#&=%'\"<> \n\\^x", "code=", "state=", "error=", "://", "mymap:", "%3D", "%3F"])


@pytest.mark.unmeasured
@given(text=st.lists(pieces).map("".join))
def test_no_text_without_redirect_uri_or_state_is_taken(text: str) -> None:
    assert find_redirect(text, BACK) is None
    assert find_redirect(text, BACK, state="a long state") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("?error=invalid_scope and so on", "error=invalid_scope"),
        ("?error=invalid_scope&error_description=The scope\n is bad.", "error=invalid_scope&error_description=The"),
        (
            "?error=x&error_description=The scope is bad&state=st1",
            "error=x&error_description=The%20scope%20is%20bad&state=st1",
        ),
        ("?code=abc&scope=data:trip data:pos\nition&state=st1", "code=abc&scope=data:trip%20data:position&state=st1"),
        ("?code=abc", "code=abc"),
        ("?state=st1", "state=st1"),
    ],
)
def test_blanks_in_descriptions_and_scopes_are_kept(text: str, found: str) -> None:
    assert find_redirect(BACK + text, BACK, state="st1") == f"{BACK}?{found}"


def test_the_state_may_contain_what_servers_do_not_encode() -> None:
    for state in ("it's", "a(b)[c]!*d", "end."):
        found = find_redirect(f"see {BACK}?code=abc&state={state}", BACK, state=state)
        assert parameters_of(found, BACK) == {"code": "abc", "state": state}


@pytest.mark.unmeasured
@pytest.mark.wall_clock
@pytest.mark.parametrize(
    "text",
    [
        "?code=" * 10_000,
        f"{BACK}?" * 3_000,
        f"{BACK}?code=a " + "b& " * 20_000,
        f"{BACK}?" + "a=b&state=x \n" * 5_000,
        "%25" * 20_000 + "code=",
        "m " * 20_000,
        "\\" * 40_000,
        "> " * 20_000,
        "&amp;" * 9_000 + "=3D",
        f"{BACK}?error_description=" + " " * 40_000 + "&code=",
    ],
)
def test_a_hostile_text_takes_little_time(text: str) -> None:
    start = time.perf_counter()
    find_redirect(text, BACK, state="st1")
    describe_paste(text)
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize(
    ("text", "described"),
    [
        (" \ufeff\n", "the text is empty"),
        ("0f9c1a2b", "the text has 8 characters and no address"),
        (PAGE, "only an address of https://idpcvs.peugeot.com (the log-in page, not where it leads at its end)"),
        ("https://me:s3cret@other.test/?a=s3cret", "the text has only an address of https://other.test"),
        ("http://a.test http://B.test", "the text has only addresses of http://a.test, http://b.test"),
        ("a://1 a://2 a://3 a://4", "the text has only addresses of a://1, a://2, a://3, …"),
    ],
)
def test_a_text_without_a_redirect_is_described(text: str, described: str) -> None:
    said = describe_paste(text, PAGE)
    assert described in said
    assert "s3cret" not in said
