"""Examples of Markdown pages, and a way to run them."""

import ast
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

from stellantis_hal import Token
from stellantis_hal.simulator import Simulator
from stellantis_hal.transport.credentials import Anonymous

__all__ = ["HalCredentials", "issue", "python_blocks", "run_block", "steps_of"]

STARTS_LOOP = re.compile(r"^ *(?:asyncio\.run\(|with asyncio\.Runner\()", re.MULTILINE)


class HalCredentials(Anonymous):
    """Credentials of the simulator for a generic client."""

    def __init__(self, simulator: Simulator) -> None:
        account = simulator.world.accounts[0]
        self.query = f"client_id={simulator.client_id}"
        self._fields = {
            "Authorization": f"Bearer {simulator.token_for(account).access_token}",
            "x-introspect-realm": account.realm,
        }

    async def headers(self) -> Mapping[str, str]:
        return self._fields


def issue(simulator: Simulator, account: int = 0) -> Token:
    """Return a new token pair; a refresh token that is used twice would revoke its grant."""
    issued = simulator.token_for(simulator.world.accounts[account])
    return Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)


def python_blocks(page: Path) -> list[tuple[int, str]]:
    """Return the Python examples of a page with their lines."""
    document = Sybil(parsers=[CodeBlockParser("python", lambda example: None)], patterns=["*.md"]).parse(page)
    return [(example.line, str(example.parsed)) for example in document.examples()]


def steps_of(page: Path) -> list[tuple[int, str]]:
    """Return the Python examples of a page that are no whole programs: each continues the one before."""
    return [(line, source) for line, source in python_blocks(page) if not STARTS_LOOP.search(source)]


async def run_block(page: Path, line: int, source: str, names: dict[str, Any]) -> None:
    """Run an example, which may await at its top level; errors point at its line of the page."""
    code = compile("\n" * line + source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    outcome = eval(code, names)
    if inspect.isawaitable(outcome):
        await outcome
