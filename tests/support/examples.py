"""Examples of Markdown pages, and a way to run them."""

import ast
import inspect
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

__all__ = ["python_blocks", "run_block"]


def python_blocks(page: Path) -> list[tuple[int, str]]:
    """Return the Python examples of a page with their lines."""
    document = Sybil(parsers=[CodeBlockParser("python", lambda example: None)], patterns=["*.md"]).parse(page)
    return [(example.line, str(example.parsed)) for example in document.examples()]


async def run_block(page: Path, line: int, source: str, names: dict[str, Any]) -> None:
    """Run an example, which may await at its top level; errors point at its line of the page."""
    code = compile("\n" * line + source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    outcome = eval(code, names)
    if inspect.isawaitable(outcome):
        await outcome
