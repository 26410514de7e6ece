"""Recorded exchanges at a shared ledger, and the replies that each implementation of it returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from stellantis_hal.transport.rate_limit.shared_ledger import LedgerReply, LedgerRequest, ScheduledTokenReturn

__all__ = ["RECORDED"]

_FILE: Final = Path(__file__).with_name("ledger_exchanges.jsonl")
_PAIRS: Final = frozenset({"given_back", "minutes", "used"})

Recorded = tuple[int, LedgerRequest, LedgerReply]


def _read() -> dict[str, list[Recorded]]:
    """Return the exchanges of each play by its name; in the file, fields that have their default are left out."""
    plays: dict[str, list[Recorded]] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        play, clock, exchange, reply = json.loads(line)
        plays.setdefault(play, []).append((clock, LedgerRequest(**_values(exchange)), LedgerReply(**_values(reply))))
    return plays


def _values(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in fields.items()}


def _value(name: str, value: Any) -> Any:
    if name == "answered":
        return tuple(ScheduledTokenReturn(*each) for each in value)
    if name in _PAIRS:
        return tuple((first, second) for first, second in value)
    return tuple(value) if isinstance(value, list) else value


RECORDED: Final = _read()
