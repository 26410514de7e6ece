"""The proxy of a URL, by options and environments."""

import base64
import ipaddress
import logging
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import Application, HalClient, StellantisClient
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport import proxies
from stellantis_hal.transport.proxies import DIRECT, NoProxyHosts, Proxy, ProxySettings, parse_proxy
from stellantis_hal.transport.session import Session
from tests.support.profiles import few_examples
from tests.support.transports import ScriptedTransport

LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
PORT = st.integers(1, 65_535)
NETWORK: Any = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
)
HTTP, HTTPS = "http://api.test/a", "https://api.test/a"


def chosen(url: str, **environment: str) -> str | None:
    proxy = ProxySettings.of(None, environment).for_url(url)
    return None if proxy is None else proxy.url


# ------------------------------------------------------------------------------------------------- URLs of proxies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://proxy.test:3128", Proxy("http", "proxy.test", 3128)),
        ("HTTP://Proxy.Test:3128/", Proxy("http", "proxy.test", 3128)),
        (" proxy.test:3128\n", Proxy("http", "proxy.test", 3128)),
        ("localhost", Proxy("http", "localhost", 80)),
        ("http://proxy.test:", Proxy("http", "proxy.test", 80)),
        ("https://proxy.test", Proxy("https", "proxy.test", 443)),
        ("socks5://proxy.test", Proxy("socks5", "proxy.test", 1080)),
        ("socks5h://u:p@[::1]:9", Proxy("socks5h", "[::1]", 9, "u", "p")),
        ("http://u:p@a/b?@10.0.0.1:1", Proxy("http", "10.0.0.1", 1, "u", "p@a/b?")),
        ("http://u:a://b@proxy.test:1", Proxy("http", "proxy.test", 1, "u", "a://b")),
        ("http://u@proxy.test:80", Proxy("http", "proxy.test", 80, "u")),
        ("u:%C3%A9%3A@proxy.test", Proxy("http", "proxy.test", 80, "u", "é:")),
    ],
)
def test_the_url_of_a_proxy_is_read(text: str, expected: Proxy) -> None:
    assert parse_proxy(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "ftp://u:secret@h:1",
        "socks4://u:secret@h:1",
        "http://u:secret@",
        "http://u:secret@h:0",
        "h:secret",
        "http://u:secret@h:1/path",
        "http://u:secret@h?a=1",
        "http://h h:1",
        "http://u:secret@[::1",
        "socks5://u@h:1",
        f"socks5://u:secret{'a' * 255}@h:1",
        "u:secret://h",
        "http://:secret@h:1:2",
    ],
)
def test_what_is_no_url_of_a_proxy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^PROXY must be|^PROXY must have") as caught:
        parse_proxy(text, "PROXY")
    assert "secret" not in str(caught.value)


EXAMPLE = "'http://user:password@proxy.example:3128'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://h:1", f"PROXY must be an http, https, socks5 or socks5h URL, as in {EXAMPLE}"),
        ("http://h:0", f"PROXY must be the URL of a proxy with a host and a port, as in {EXAMPLE}"),
        ("http://", f"PROXY must be the URL of a proxy with a host and a port, as in {EXAMPLE}"),
        ("socks5://u:@h:1", "PROXY must have a user name and a password of 1 to 255 bytes each for SOCKS, or none"),
        (
            f"socks5://{'u' * 256}:p@h:1",
            "PROXY must have a user name and a password of 1 to 255 bytes each for SOCKS, or none",
        ),
        (f"socks5h://{'u' * 255}:{'p' * 255}@h:1", None),
        ("socks5h://u:p@h:1", None),
        ("http://u:@h:1", None),
    ],
)
def test_what_is_wrong_with_the_url_of_a_proxy_is_said(text: str, message: str | None) -> None:
    if message is None:
        assert parse_proxy(text, "PROXY").source == "PROXY"
        return
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        parse_proxy(text, "PROXY")
    assert str(caught.value) == message


@pytest.mark.unmeasured
@given(user=st.text(min_size=1), password=st.text(), host=NAME, port=PORT)
def test_credentials_round_trip_and_are_masked(user: str, password: str, host: str, port: int) -> None:
    proxy = parse_proxy(f"http://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}")
    assert (proxy.username, proxy.password, proxy.host, proxy.port) == (user, password, host, port)
    assert str(proxy) == f"http://***@{host}:{port}"
    assert repr(proxy) == f"Proxy('http://***@{host}:{port}', from proxy=)"
    assert proxy.authorization() == f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def test_a_proxy_without_credentials_has_no_authorization() -> None:
    proxy = parse_proxy("http://proxy.test:3128")
    assert (proxy.authorization(), str(proxy)) == (None, "http://proxy.test:3128")


# ------------------------------------------------------------------------------------------------- environment


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_https_has_its_variables(name: str) -> None:
    assert chosen(HTTPS, **{name: "http://p:1"}) == "http://p:1"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_http_has_its_variables(name: str) -> None:
    assert chosen(HTTP, **{name: "http://p:1"}) == "http://p:1"


@pytest.mark.parametrize(
    ("environment", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "a:1"}, "http://a:1", None),
        ({"HTTPS_PROXY": "a:1"}, None, "http://a:1"),
        ({"HTTP_PROXY": "a:1", "HTTPS_PROXY": "b:2", "ALL_PROXY": "c:3"}, "http://a:1", "http://b:2"),
        ({"HTTP_PROXY": "a:1", "all_proxy": "c:3"}, "http://a:1", "http://c:3"),
        ({"HTTPS_PROXY": "a:1", "https_proxy": "b:2"}, None, "http://b:2"),
        ({"HTTPS_PROXY": "a:1", "https_proxy": ""}, None, None),
        ({"HTTPS_PROXY": " ", "ALL_PROXY": "c:3"}, "http://c:3", "http://c:3"),
        ({"HTTP_PROXY": "evil:1", "REQUEST_METHOD": "GET"}, None, None),
        ({"HTTP_PROXY": "evil:1", "REQUEST_METHOD": ""}, None, None),
        ({"HTTP_PROXY": "evil:1", "HTTPS_PROXY": "b:2", "REQUEST_METHOD": "GET"}, None, "http://b:2"),
        ({"HTTP_PROXY": "evil:1", "http_proxy": "b:2", "REQUEST_METHOD": "GET"}, "http://b:2", None),
        ({"HTTP_PROXY": "evil:1", "ALL_PROXY": "c:3", "REQUEST_METHOD": "GET"}, "http://c:3", "http://c:3"),
        ({"ALL_PROXY": "c:3", "NO_PROXY": "api.test"}, None, None),
        ({"ALL_PROXY": "c:3", "no_proxy": "", "NO_PROXY": "api.test"}, "http://c:3", "http://c:3"),
        ({"ALL_PROXY": "c:3", "no_proxy": "other.test", "NO_PROXY": "api.test"}, "http://c:3", "http://c:3"),
        ({"ALL_PROXY": "c:3", "NO_PROXY": "api.test:80"}, None, "http://c:3"),
    ],
)
def test_the_environment_is_read(environment: dict[str, str], http: str | None, https: str | None) -> None:
    assert (chosen(HTTP, **environment), chosen(HTTPS, **environment)) == (http, https)


def test_a_variable_is_judged_when_it_is_used() -> None:
    settings = ProxySettings.of(None, {"HTTP_PROXY": "ftp://u:secret@p", "HTTPS_PROXY": "p:1"})
    assert settings.for_url(HTTPS) == Proxy("http", "p", 1)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="HTTP_PROXY must be an http, https, socks5") as caught:
            settings.for_url(HTTP)
        assert "secret" not in str(caught.value)
    assert repr(settings) == "ProxySettings(http from HTTP_PROXY, https from HTTPS_PROXY)"


def test_a_source_is_named() -> None:
    proxy = ProxySettings.of(None, {"https_proxy": "http://u:secret@p:1"}).for_url(HTTPS)
    assert repr(proxy) == "Proxy('http://***@p:1', from https_proxy)"


# ------------------------------------------------------------------------------------------------- NO_PROXY


@pytest.mark.parametrize(
    ("rules", "url", "expected"),
    [
        ("example.com", "https://example.com/a", True),
        ("example.com", "https://api.example.com", True),
        ("example.com", "https://notexample.com", False),
        ("example.com", "https://example.com.evil.test", False),
        (".example.com", "https://api.example.com", True),
        (".example.com", "https://example.com", True),
        (".example.com", "https://notexample.com", False),
        ("*.example.com", "https://api.example.com", True),
        ("EXAMPLE.com", "https://Api.Example.COM", True),
        ("example.com.", "https://example.com", True),
        ("example.com", "https://example.com./a", True),
        ("a.test, example.com", "https://example.com", True),
        ("a.test\texample.com\n", "https://example.com", True),
        (",,", "https://example.com", False),
        ("*", "https://example.com", True),
        ("*", "http://[::1]:80", True),
        ("*:443", "https://example.com", True),
        ("*:443", "https://10.0.0.1", True),
        ("*:443", "http://example.com", False),
        ("example.com:443", "https://example.com", True),
        ("example.com:443", "http://example.com", False),
        ("example.com:8443", "https://api.example.com:8443/a?b", True),
        ("10.0.0.1", "http://10.0.0.1", True),
        ("0.0.1", "http://10.0.0.1", False),
        ("10.0.0.1", "http://10.0.0.10", False),
        ("10.0.0.1", "http://a.10.0.0.1.test", False),
        ("10.0.0.0/8", "http://10.255.0.1", True),
        ("10.1.2.3/8", "http://10.255.0.1", True),
        ("10.0.0.0/8", "http://11.0.0.1", False),
        ("10.0.0.0/8:8080", "http://10.0.0.1:8080", True),
        ("10.0.0.0/8:8080", "http://10.0.0.1", False),
        ("10.0.0.0/8", "http://[::ffff:10.0.0.1]", True),
        ("::ffff:10.0.0.1", "http://10.0.0.1", True),
        ("::1", "http://[::1]/a", True),
        ("::1", "http://[0:0:0:0:0:0:0:1]:8080/a", True),
        ("[::1]", "http://[::1]", True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]", False),
        ("fd00::/8", "http://[fd12::1]", True),
        ("[fd00::]/8", "http://[fd12::1]", True),
        ("[fd00::/8]", "http://[fd12::1]", True),
        ("fd00::/8", "http://[fe12::1]", False),
        ("0.0.0.0/0", "http://[::1]", False),
        ("0.0.0.0/0", "http://example.com", False),
        ("localhost", "http://127.0.0.1", False),
        ("example.com", "https://exa mple.com", False),
    ],
)
def test_no_proxy_lists_hosts(rules: str, url: str, expected: bool) -> None:
    no_proxy = NoProxyHosts(rules)
    assert no_proxy.matches(url) == expected
    assert no_proxy.unreadable == ()


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.0/33",
        "10.0.0.1/abc",
        "https://a.test",
        "a.test:0",
        "a.test:99999",
        "a.test:",
        ".",
        "é.test",
        "[::1",
        "[a/8]",
        "u@a.test",
        "a.test/path",
        "fd00::/129",
    ],
)
def test_an_unreadable_entry_is_logged(entry: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = ProxySettings.of(None, {"ALL_PROXY": "p:1", "NO_PROXY": f"b.test,{entry}"})
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "NO_PROXY: entries that match no host" in record.message
    assert (settings.for_url("http://b.test"), settings.for_url("http://a.test")) == (None, Proxy("http", "p", 1))


@pytest.mark.unmeasured
@few_examples()
@given(name=NAME, sub=LABEL, port=PORT, dot=st.sampled_from(["", ".", "*."]))
def test_a_name_matches_itself_and_its_subdomains(name: str, sub: str, port: int, dot: str) -> None:
    rule, only = NoProxyHosts(dot + name), NoProxyHosts(f"{dot}{name}:{port}")
    for host in (name, f"{sub}.{name}", f"{name}."):
        assert rule.matches(f"http://{host}:{port}/a")
        assert only.matches(f"http://{host}:{port}/a")
        assert not only.matches(f"http://{host}:{port % 65_535 + 1}/a")
    for host in (f"{sub}{name}", f"{name}.{sub}x", f"{name}{sub}"):
        expected = f".{host}".endswith(f".{name}")
        assert rule.matches(f"http://{host}/a") == expected


@pytest.mark.unmeasured
@given(network=NETWORK, address=st.ip_addresses(), inside=st.integers(min_value=0), port=PORT)
def test_a_network_matches_its_addresses(network: Any, address: Any, inside: int, port: int) -> None:
    expected = ipaddress.ip_network(f"{network[0]}/{network[1]}", strict=False)
    rule = NoProxyHosts(f"{network[0]}/{network[1]}")
    for each in (address, expected[inside % expected.num_addresses]):
        if getattr(each, "ipv4_mapped", None) or getattr(network[0], "ipv4_mapped", None):
            continue  # compared as IPv4
        host = f"[{each}]" if each.version == 6 else str(each)
        assert rule.matches(f"https://{host}:{port}/a") == (each in expected)


def test_rules_show_their_number_only() -> None:
    """Names of hosts may be private."""
    assert repr(NoProxyHosts("*, a.example, b.example:80, 10.0.0.0/8, ::1 [")) == "NoProxyHosts(<5 rules>)"


@pytest.mark.unmeasured
@given(st.text())
def test_any_text_is_read_as_rules(text: str) -> None:
    rules = NoProxyHosts(text)
    rules.matches(HTTP)
    assert repr(rules).startswith("NoProxyHosts(<")


@given(st.text())
def test_any_text_is_a_proxy_or_is_refused(text: str) -> None:
    try:
        proxy = parse_proxy(text)
    except ValueError:
        return
    assert httpx.Proxy(proxy.url).url.port in (proxy.port, None)


@pytest.mark.unmeasured
@few_examples()
@given(st.lists(st.tuples(st.sampled_from(["http", "https"]), NAME, PORT), min_size=1, max_size=100))
def test_remembered_answers_are_the_same(urls: list[tuple[str, str, int]]) -> None:
    settings = ProxySettings.of(None, {"ALL_PROXY": "p:1", "NO_PROXY": "a,b,*:80"})
    for scheme, host, port in [*urls, *urls]:
        url = f"{scheme}://{host}:{port}/a"
        assert (settings.for_url(url) is None) == NoProxyHosts("a,b,*:80").matches(url)


def test_the_memory_of_origins_is_bounded() -> None:
    settings = ProxySettings.of("p:1", {})
    for number in range(200):
        assert settings.for_url(f"http://h{number}.test/") == Proxy("http", "p", 1)
    assert len(settings._by_origin) == 64


# ------------------------------------------------------------------------------------------------- options


def test_an_option_holds_for_every_url() -> None:
    settings = ProxySettings.of("http://p:1", {"HTTPS_PROXY": "q:2", "NO_PROXY": "*"})
    assert settings.for_url(HTTP) == settings.for_url(HTTPS) == Proxy("http", "p", 1)
    assert settings.for_url("ftp://api.test") is None


@pytest.mark.parametrize("off", [False, "direct"])
def test_an_option_turns_the_environment_off(off: Any) -> None:
    settings = ProxySettings.of(off, {"HTTPS_PROXY": "q:2"})
    assert settings is DIRECT
    assert settings.for_url(HTTPS) is None
    assert repr(settings) == "ProxySettings(direct)"


@pytest.mark.parametrize("value", [True, 3128, b"http://secret:1", httpx.Proxy("http://secret:1")])
def test_an_option_of_another_type_is_refused(value: Any) -> None:
    with pytest.raises(TypeError) as caught:
        ProxySettings.of(value, {})
    assert str(caught.value) == (
        f"proxy must be str, None or False, not True: {EXAMPLE}, or None for the environment's"
        if value is True
        else f"proxy must be str or None, not {type(value).__name__}: {EXAMPLE}, or False for none"
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"ALL_PROXY": "p:1"}, False),
        ({"ALL_PROXY": "HTTP://p:1"}, False),
        ({"HTTP_PROXY": "p:1", "HTTPS_PROXY": " socks5://p:1"}, True),
        ({"ALL_PROXY": "https://p:1"}, True),
        ({}, False),
    ],
)
def test_aiohttp_is_used_for_http_proxies_only(environment: dict[str, str], expected: bool) -> None:
    assert ProxySettings.of(None, environment).needs_httpx == expected


def test_socks_without_the_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none(name: str) -> None:
        return None

    monkeypatch.setattr(proxies, "find_spec", find_none)
    words = (
        r"^the proxy socks5://\*\*\*@p:1 \(from {}\) needs the extra `socks`: pip install 'stellantis-hal\[socks\]'$"
    )
    with pytest.raises(ConfigurationError, match=words.format("proxy=")):
        ProxySettings.of("socks5://u:secret@p:1", {})
    settings = ProxySettings.of(None, {"ALL_PROXY": "socks5://u:secret@p:1", "NO_PROXY": "b.test"})
    assert settings.for_url("http://b.test/") is None
    with pytest.raises(ConfigurationError, match=words.format("ALL_PROXY")):
        settings.for_url(HTTP)


def make_session(**options: Any) -> object:
    return Session(Origins("https://api.test"), **options)


def make_hal_client(**options: Any) -> object:
    return HalClient("https://api.test", **options)


def make_client(**options: Any) -> object:
    return StellantisClient(Application("id", "word"), **options)


MAKERS = [make_session, make_hal_client, make_client]


@pytest.mark.parametrize("make", MAKERS)
def test_a_client_takes_a_proxy(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    of = ProxySettings.of

    def take(proxy: Any, environment: Any) -> ProxySettings:
        taken.append(proxy)
        return of(proxy, environment)

    monkeypatch.setattr(ProxySettings, "of", take)
    for value in ("http://u:secret@p:1", False, None):
        assert "secret" not in repr(make(proxy=value))
    assert taken == ["http://u:secret@p:1", False, None]
    with pytest.raises(ValueError, match="proxy= must be") as caught:
        make(proxy="ftp://u:secret@p:1")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("proxy", ["http://u:secret@p:1", False])
def test_a_proxy_beside_a_transport_is_refused(make: Any, proxy: Any) -> None:
    transport = ScriptedTransport(lambda request: httpx.Response(200))
    with pytest.raises(ValueError, match=r"no effect on a transport of your own.*AsyncHTTPTransport\(proxy=") as caught:
        make(transport=transport, proxy=proxy)
    assert "secret" not in str(caught.value)


def test_an_environment_is_not_read_for_a_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "ftp://nonsense")
    session = Session(Origins("https://api.test"), transport=ScriptedTransport(lambda request: httpx.Response(200)))
    assert session._exchange._proxies is DIRECT
