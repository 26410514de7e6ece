"""Operation record: what an operation is known by in any process, and its token."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Final

import attrs

from stellantis_hal.resources.control.remote_actions import ActionKind

__all__ = ["OperationRecord"]

_MAX_TOKEN: Final = 16_384
_FORMAT: Final = 1


@attrs.frozen(kw_only=True)
class OperationRecord:
    """What an operation is known by, in any process.

    Attributes:
        id: the API's id.
        url: its address.
        kind: the kind of the action; None for one that this library does not list.
        label: the label that it was sent with; None where it has none.
        vehicle_url: the address of the vehicle.
        car: the key of the car's state.
        sent_at: when it was sent, by the server's clock where it stated that.
    """

    id: str
    url: str
    kind: ActionKind | None
    label: str | None
    vehicle_url: str
    car: str
    sent_at: datetime | None

    def token(self) -> str:
        """Return it as a token of letters, digits, ``-`` and ``_``."""
        value = {
            "format": _FORMAT,
            "id": self.id,
            "url": self.url,
            "kind": self.kind,
            "label": self.label,
            "vehicle": self.vehicle_url,
            "car": self.car,
            "sent_at": None if self.sent_at is None else self.sent_at.isoformat(),
        }
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def of_token(cls, token: str) -> OperationRecord:
        """Read a token.

        Raises:
            ValueError: it is none, or one of another version of this library.
        """
        try:
            if len(token) > _MAX_TOKEN:
                raise ValueError("too long")
            value = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
            if value["format"] != _FORMAT:
                raise ValueError("another format")
            texts = {name: value[name] for name in ("id", "url", "vehicle", "car")}
            if not all(isinstance(text, str) and text for text in texts.values()):
                raise ValueError("a part is missing")
            label, sent_at = value["label"], value["sent_at"]
            if not isinstance(label, str | None):
                raise ValueError("the label is no text")
            return cls(
                id=texts["id"],
                url=texts["url"],
                kind=None if value["kind"] is None else ActionKind(value["kind"]),
                label=label,
                vehicle_url=texts["vehicle"],
                car=texts["car"],
                sent_at=None if sent_at is None else datetime.fromisoformat(sent_at),
            )
        except (binascii.Error, KeyError, TypeError, ValueError, RecursionError):
            raise ValueError(
                "this is not the token of an operation: pass operation.token unchanged, of the same version"
            ) from None
