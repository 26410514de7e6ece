"""Fencing tokens: numbers by which a store refuses the former owner of a lease."""

from __future__ import annotations

from typing import Protocol

import attrs

from stellantis_hal.errors import LeaseLostError

__all__ = ["FenceToken", "FencingLease", "lease_lost"]


@attrs.frozen
class FenceToken:
    """Ownership of one shard of a lease: each owner's ``epoch`` is larger than that of the one before.

    A store that has seen an epoch of a scope refuses smaller ones.

    Attributes:
        scope: the shard, as ``fleet/3``; the same in every process.
        epoch: how often the shard changed hands.
    """

    scope: str
    epoch: int


class FencingLease(Protocol):
    """What a fenced store asks before it reads or writes: a lease."""

    def token(self, owner: str) -> FenceToken:
        """Return the token of the shard that an owner (the key of an account, the id of a vehicle) belongs to.

        Raises:
            LeaseLostError: the lease of that shard is not held.
        """
        ...

    def share(self) -> float:
        """Return the part of all shards that is held, 0 to 1."""
        ...


def lease_lost(scope: str, epoch: int | None = None, current: int | None = None) -> LeaseLostError:
    """Return the error of a lease that is not held."""
    if epoch is None:
        reason = "it is not held by this process (any more)"
    else:
        reason = f"another process took it over: this one had epoch {epoch}, the present one is {current}"
    return LeaseLostError(
        f"lease {scope!r}: {reason}. Nothing was written; what was not acknowledged is delivered by the new owner, "
        "with the same ids",
        scope=scope,
    )
