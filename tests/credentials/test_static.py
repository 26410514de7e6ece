"""Bearer tokens that a program supplies."""

from typing import Any

import anyio
import pytest

from stellantis_hal.credentials.static import Bearer
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.transport.credentials import Credentials
from tests.support.responses import REFUSED, make_response

pytestmark = pytest.mark.anyio


async def test_a_fixed_token_is_sent() -> None:
    bearer = Bearer(" abc ")
    assert await bearer.headers() == {"authorization": "Bearer abc"}
    assert not await bearer.refused(REFUSED, await bearer.headers())
    assert bearer.query == ""


async def test_a_function_is_asked_for_the_present_token() -> None:
    tokens = iter(["one", "two", "two", "two"])
    bearer = Bearer(lambda: next(tokens))
    sent = await bearer.headers()
    assert sent["Authorization"] == "Bearer one"
    assert await bearer.refused(REFUSED, sent)
    assert not await bearer.refused(REFUSED, await bearer.headers())


async def test_an_asynchronous_function_is_awaited() -> None:
    async def token() -> str:
        await anyio.sleep(1)
        return "later"

    assert (await Bearer(token).headers())["authorization"] == "Bearer later"


async def test_a_token_without_the_scope_is_not_asked_for_again() -> None:
    refusal = make_response(status=401, www_authenticate='Bearer error="insufficient_scope"')
    assert not await Bearer(lambda: "two").refused(refusal, {"Authorization": "Bearer one"})


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "ü"])
async def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be sent in a header: it is empty"):
        Bearer(token)
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        await Bearer(lambda: token).headers()


async def test_other_types_are_refused() -> None:
    number: Any = 5
    with pytest.raises(TypeError, match="token must be str, not int"):
        Bearer(number)
    with pytest.raises(ConfigurationError, match="a NoneType"):
        await Bearer(lambda: None).headers()  # type: ignore[arg-type, return-value]


async def test_a_token_is_not_shown_and_names_its_part_of_a_cache() -> None:
    bearer: Credentials = Bearer("a-secret")
    assert "a-secret" not in repr(bearer) + repr(await bearer.headers())
    assert Bearer("a").partition == Bearer("a").partition != Bearer("b").partition
    function = Bearer(lambda: "a")
    assert function.partition == function.partition
    assert function.partition != Bearer(lambda: "a").partition
    assert not function.partition.is_lasting
