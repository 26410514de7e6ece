"""Targets of callbacks: what is refused before it is sent, what is shown, what is always added."""

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import (
    AttributePlacement,
    CallbackAttribute,
    PushDevices,
    SecretNotInBatchWarning,
    Webhook,
    WebSocket,
)
from stellantis_hal.resources.control.callback import callback_body, callback_types
from stellantis_hal.resources.control.callback_targets import complete_attributes, require_webhook, target_body
from stellantis_hal.structuring.converter import read
from tests.support.profiles import few_examples

URL = "https://hooks.example.org/st/k3Jx0v"


def attribute(part: str, key: str | None, value: str | None) -> CallbackAttribute:
    return CallbackAttribute(part=AttributePlacement(part), key=key, value=value)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "hooks.example.org/st",
        "/st/k3Jx0v",
        "ftp://hooks.example.org/st",
        "http://hooks.example.org/st",
        "http://10.0.0.1/st",
        "http://localhost.example.org/st",
        "https:///st",
        "https://hooks.example.org:99999/st",
        "https://[::1/st",
        "https://hooks.example.org/s t",
        "https://hooks.example.org/st\n",
        "https://hooks.example.org/\u00e9",
        "https://hooks.example.org/st#part",
        "wss://hooks.example.org/st",
        "https://user:k3Jx0v@hooks.example.org/st",
        "https://hooks.example.org@127.0.0.1/st",
        "https://hooks.example.org\\@example.com/st",
    ],
)
def test_an_address_without_tls_is_refused(url: str | None) -> None:
    with pytest.raises(ValueError, match="address") as caught:
        require_webhook(Webhook(url), allow_http_loopback=True)
    assert "k3Jx0v" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "127.9.9.9", "[::1]:80", "app.localhost"])
def test_loopback_without_tls_has_to_be_allowed(host: str) -> None:
    webhook = Webhook(f"http://{host}/st")
    with pytest.raises(ValueError, match="allow_http_loopback=True"):
        require_webhook(webhook)
    assert require_webhook(webhook, allow_http_loopback=True) == webhook.url


def test_the_vin_and_the_token_are_always_in_the_body() -> None:
    body = target_body(Webhook(URL, token="s3cr3t"), "garage")
    assert body == {
        "webhook": {
            "name": "garage",
            "target": URL,
            "attributes": [
                {"type": "Body", "key": "vin", "value": "$vin"},
                {"type": "Body", "key": "token", "value": "s3cr3t"},
            ],
        }
    }
    assert target_body(PushDevices(["d1"]), "garage") == {
        "pushnotif": {"devices": ["d1"], "attributes": [{"type": "Body", "key": "vin", "value": "$vin"}]}
    }


def test_an_attribute_of_the_same_key_replaces_another() -> None:
    found = complete_attributes([attribute("Body", "vin", "$Vin"), attribute("Header", "vin", "x")])
    assert [(each.part, each.value) for each in found] == [("Body", "$Vin"), ("Header", "x")]


@pytest.mark.parametrize(
    "incomplete",
    [
        attribute("Body", "", "x"),
        attribute("Body", None, "x"),
        attribute("Body", "k", None),
        CallbackAttribute(key="k"),
    ],
)
def test_an_incomplete_attribute_is_refused(incomplete: CallbackAttribute) -> None:
    with pytest.raises(ValueError, match="an attribute needs part"):
        target_body(Webhook(URL, attributes=[incomplete]), "garage")


def test_the_place_of_an_attribute_may_be_its_name() -> None:
    part: Any = "Body"
    named = CallbackAttribute(part=part, key="k", value="v")
    assert Webhook(URL, attributes=[named]) == Webhook(URL, attributes=[attribute("Body", "k", "v")])
    elsewhere: Any = "Bodies"
    with pytest.raises(ValueError, match="an attribute needs part"):
        target_body(Webhook(URL, attributes=[CallbackAttribute(part=elsewhere, key="k", value="v")]), "garage")


@pytest.mark.parametrize(("key", "value"), [(5, "x"), ("k", 5)])
def test_an_attribute_is_text(key: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="of an attribute must be str"):
        target_body(Webhook(URL, attributes=[attribute("Body", key, value)]), "garage")


@pytest.mark.parametrize("token", ["", "$vin", "$ecret"])
def test_a_token_that_no_event_would_have_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="empty or begins with a dollar sign"):
        target_body(Webhook(URL, token=token), "garage")


def test_only_variables_of_the_vendor_are_shown() -> None:
    assert repr(attribute("Header", "x-vehicle", "$Vin")).endswith("value='$Vin')")
    assert "$ecret" not in repr(Webhook(URL, attributes=[attribute("Header", "x-token", "$ecret")]))


def test_what_is_no_target_is_refused() -> None:
    for wrong in (URL, WebSocket(url="wss://hooks.example.org"), None):
        value: Any = wrong
        with pytest.raises(TypeError, match="target must be Webhook or PushDevices"):
            target_body(value, "garage")
    with pytest.raises(ValueError, match="at least one device"):
        target_body(PushDevices(), "garage")
    not_attributes: Any = [("Body", "k", "v")]
    with pytest.raises(TypeError, match="an attribute must be CallbackAttribute"):
        Webhook(URL, attributes=not_attributes)


@pytest.mark.parametrize(
    "lost", [("Header", "Authorization", "x"), ("Query", "api_key", "x"), ("Header", "x-from", "Bearer x")]
)
def test_a_secret_outside_the_body_is_warned_of(lost: tuple[str, str, str]) -> None:
    with pytest.warns(SecretNotInBatchWarning, match="missing from every batch"):
        target_body(Webhook(URL, attributes=[attribute(*lost)]), "garage")


@pytest.mark.parametrize(
    "webhook",
    [
        Webhook(URL, token="x", attributes=[attribute("Header", "x-token", "x")]),
        Webhook(URL, attributes=[attribute("Header", "x-vehicle", "$vin"), attribute("Header", "x-env", "test")]),
        Webhook(URL, attributes=[attribute("Header", "x-token", "$vin")]),
    ],
)
def test_other_attributes_are_not_warned_of(webhook: Webhook) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        target_body(webhook, "garage")


def test_no_secret_is_shown() -> None:
    webhook = Webhook("https://user:s3cr3t@hooks.example.org:8443/st/s3cr3t?t=s3cr3t", token="s3cr3t")
    for shown in (repr(webhook), repr(WebSocket(url=webhook.url)), repr(PushDevices(["s3cr3t"]))):
        assert "s3cr3t" not in shown
    assert "https://hooks.example.org:8443/***" in repr(webhook)
    for odd in ("https://[s3cr3t/", "s3cr3t", 5):
        value: Any = odd
        assert "s3cr3t" not in repr(read({"target": value}, Webhook))
    assert webhook.token == "s3cr3t"
    assert Webhook(URL).token is None


def test_a_callback_needs_a_label_and_known_types() -> None:
    for label in (None, "", "  "):
        with pytest.raises(ValueError, match="needs a label"):
            callback_body(Webhook(URL), label=label, types=())
    number: Any = 5
    with pytest.raises(TypeError, match="label must be str"):
        callback_body(Webhook(URL), label=number, types=())
    with pytest.raises(ValueError, match="Monitor and Remote"):
        callback_types(["Monitors"])
    assert callback_types("Remote") == ("Remote",)


texts = st.text(min_size=1, max_size=8)


@pytest.mark.unmeasured
@few_examples()
@given(st.lists(st.builds(attribute, st.sampled_from(["Header", "Body", "Query"]), texts, texts), max_size=6))
def test_what_is_sent_is_read_again(attributes: list[CallbackAttribute]) -> None:
    webhook = Webhook(URL, attributes=attributes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = target_body(webhook, "garage")
    read_again = read(body["webhook"], Webhook)
    assert read_again.problems == ()
    assert read_again.attributes == complete_attributes(attributes)
    assert (read_again.url, read_again.name) == (URL, "garage")
    assert target_body(read_again, "garage") == body if not attributes else True
