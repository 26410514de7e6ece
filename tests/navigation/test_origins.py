"""Trusted origins."""

from contextlib import nullcontext
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import UntrustedOriginError
from stellantis_hal.hal.uri import resolve
from stellantis_hal.navigation.origins import ANY_ORIGIN, Origins, origin_of

ORIGINS = Origins("https://api.example/v4", "http://localhost:8080")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example",
        "https://api.example/",
        "https://api.example:443/x",
        "https://api.example:/x",
        "HTTPS://API.Example/x?a@b",
        "https://api.example?x=//evil.example/",
        "https://api.example#@evil.example",
        "http://localhost:8080/x",
        "http://LOCALHOST:08080/x",
    ],
)
def test_origins_are_compared_by_scheme_host_and_port(url: str) -> None:
    assert ORIGINS.trusts(url)
    assert ORIGINS.trusts(url)
    ORIGINS.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/relative",
        "//api.example/x",
        "api.example/x",
        "http://api.example/x",
        "https://api.example:444/x",
        "https://api.example:0/x",
        "https://api.example:99999/x",
        "https://api.example:x/",
        "https://api.example:443:443/",
        "https://api.example.evil.example/",
        "https://evil.example/https://api.example/",
        "https://evilapi.example/",
        "https://api.example./",
        "https://user@api.example/",
        "https://api.example@evil.example/",
        "https://api.example:443@evil.example/",
        "https://evil.example\\@api.example/",
        "https://api.example\\.evil.example/",
        "https:\\\\api.example/",
        "https:/api.example/",
        "https:api.example/",
        "https:///api.example/",
        "https://",
        "https://api.example\t/",
        "https://api.example /",
        " https://api.example/",
        "https://api.example/a b",
        "https://api.example/\r\nX: 1",
        "https://api.example/\x00",
        "https://api.example/\x7f",
        "https://api.example/é",
        "https://аpi.example/",
        "https://api。example/",
        "https://api%2eexample/",
        "https://-api.example/",
        "https://api..example/",
        f"https://{'a' * 64}.example/",
        "https://[::1]/",
        "https://[api.example]/",
        "https://[::1%25eth0]/",
        "ftp://api.example/",
        "javascript:alert(1)",
        "urn:x",
    ],
)
def test_everything_else_is_refused_before_a_request(url: str) -> None:
    assert not ORIGINS.trusts(url)
    with pytest.raises(UntrustedOriginError, match=r"^nothing was sent to .*: it") as caught:
        ORIGINS.check(url)
    assert caught.value.url == url


def test_numeric_addresses_are_compared_as_written() -> None:
    origins = Origins("https://[2001:db8::1]:8443/", "http://127.0.0.1")
    assert origins.trusts("https://[2001:DB8::1]:8443/x")
    assert origins.trusts("http://127.0.0.1:80/x")
    assert not origins.trusts("https://[2001:db8::1]/x")
    assert not origins.trusts("http://2130706433/")
    assert origin_of("https://[fe80::1%eth0]/") is None


@pytest.mark.parametrize(("port", "is_one"), [(0, False), (1, True), (65_535, True), (65_536, False)])
def test_ports_must_be_valid_numbers(port: int, *, is_one: bool) -> None:
    assert origin_of(f"https://h:{port}/") == (("https", "h", port) if is_one else None)


@pytest.mark.parametrize("host", ["[:::1]", "[::1x]", "[]", "[", "]", "[::1:443"])
def test_invalid_addresses_in_brackets_are_no_hosts(host: str) -> None:
    assert origin_of(f"https://{host}/") is None


def test_an_ipv6_address_needs_no_port() -> None:
    assert origin_of("https://[::1]/") == ("https", "[::1]", 443)


@pytest.mark.parametrize(
    "url", ["", "api.example", "ftp://h/", "https://user:secret@h/", "https://h\\x", "https://h /"]
)
def test_only_urls_with_an_origin_can_be_trusted(url: str) -> None:
    with pytest.raises(ValueError, match="must be an http or https URL with a host, as in") as caught:
        Origins(url)
    assert "secret" not in str(caught.value)


def test_repr_lists_the_origins() -> None:
    assert repr(ORIGINS) == "Origins(http://localhost:8080, https://api.example:443)"


def test_redirects_must_stay_on_tls_and_trusted_origins() -> None:
    origins = Origins("https://api.example", "http://api.example")
    origins.check_redirect("https://api.example/a", "https://api.example/b")
    origins.check_redirect("http://api.example/a", "https://api.example/b")
    origins.check_redirect("http://api.example/a", "http://api.example/b")
    with pytest.raises(UntrustedOriginError, match="was not followed: it leads from https to http") as caught:
        origins.check_redirect("HTTPS://api.example/a", "http://api.example/b")
    assert caught.value.url == "http://api.example/b"
    with pytest.raises(UntrustedOriginError, match="not trusted"):
        origins.check_redirect("https://api.example/a", "https://evil.example/b")


def test_a_hostile_server_does_not_fill_the_memory() -> None:
    origins = Origins("https://api.example")
    assert all(origins.trusts(f"https://api.example?{number}") for number in range(200))
    assert len(origins._known_prefixes) == 64


_PIECES = st.sampled_from(
    [
        "https:",
        "http:",
        "//",
        "/",
        "\\",
        "@",
        ":",
        "?",
        "#",
        "api.example",
        "evil.example",
        ".",
        "443",
        "[",
        "]",
        "%40",
        "\t",
        "é",
        " ",
        "x",
    ]
)
_STARTS = st.sampled_from(["https://api.example", "https://", "//", "", "https:"])
_URLS = st.tuples(_STARTS, st.lists(_PIECES, max_size=8)).map(lambda parts: parts[0] + "".join(parts[1]))


@pytest.mark.unmeasured
@given(_URLS)
def test_parsers_agree_about_the_host_of_trusted_urls(reference: str) -> None:
    for url in (reference, resolve("https://api.example/v4/user", reference)):
        if ORIGINS.trusts(url):
            ours = ("https", "api.example", 443)
            split = urlsplit(url)
            theirs = httpx.URL(url)
            assert (split.scheme, split.hostname, split.port or 443) == ours
            assert (theirs.scheme, theirs.host, theirs.port or 443) == ours
            assert not theirs.userinfo


@pytest.mark.unmeasured
@given(st.text(max_size=40))
def test_any_text_can_be_checked(text: str) -> None:
    assert not Origins("https://api.example").trusts(text)


def test_a_hostile_server_does_not_fill_the_memory_by_long_urls() -> None:
    origins = Origins("https://api.example")
    assert all(origins.trusts(f"https://api.example?{number}{'x' * 100_000}") for number in range(10))
    assert not origins._known_prefixes


def test_an_untrusted_origin_error_names_the_remedy() -> None:
    with pytest.raises(UntrustedOriginError) as foreign:
        Origins("https://api.example/").check("https://evil.example/")
    assert str(foreign.value) == (
        "nothing was sent to https://evil.example/: its origin is not trusted. Requests are sent to "
        "Origins(https://api.example:443) only; add others to trusted_origins= if they belong to the API."
    )
    with pytest.raises(UntrustedOriginError) as relative:
        Origins("https://api.example/").check("vehicles")
    assert str(relative.value) == (
        "nothing was sent to vehicles: its origin is not trusted. The URL must be absolute, as in "
        "'https://api.example/a', or a path, as in '/a'; use follow() for relations."
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://api.example/a", "it leads from https to http of the same host"),
        ("https://user:secret@api.example/a", "it has a user name or a password"),
        ("https://API.b\xfccher.example/a", "write the host in its ASCII form, which begins with xn--"),
        ("https://api.example/b\xfccher", "it must be percent-encoded, as %C3%BC"),
    ],
)
def test_a_refused_url_names_its_own_reason(url: str, reason: str) -> None:
    """The advice to trust the http origin would send the credentials unencrypted."""
    with pytest.raises(UntrustedOriginError) as refused:
        Origins("https://api.example/").check(url)
    assert reason in str(refused.value)
    assert "add others to trusted_origins=" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_an_origin_that_is_not_ascii_says_how_to_write_it() -> None:
    with pytest.raises(ValueError, match="in its ASCII form, which begins with xn--"):
        Origins("https://b\xfccher.example/")


@pytest.mark.parametrize(
    ("host", "is_inside"),
    [
        ("8.8.8.8", False),
        ("[2606:4700::1111]", False),
        ("api.example", False),
        ("localhost.example", False),
        ("10.0.0.1", True),
        ("169.254.169.254", True),
        ("127.0.0.1", True),
        ("[fd00::1]", True),
        ("[::1]", True),
        ("localhost", True),
        ("a.localhost.", True),
        ("2130706433", True),
    ],
)
def test_a_redirect_into_the_own_network_is_refused(host: str, *, is_inside: bool) -> None:
    """Except from there: a program may read an API of its own network."""
    refused = pytest.raises(UntrustedOriginError, match="into its network") if is_inside else nullcontext()
    with refused:
        ANY_ORIGIN.check_redirect("https://elsewhere.example/", f"https://{host}/")
    ANY_ORIGIN.check_redirect("http://10.0.0.2/", f"http://{host}/")
