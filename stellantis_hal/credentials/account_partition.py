"""The part of a cache that belongs to an account, by its store of tokens and its key."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from stellantis_hal.navigation.cache.partition import Partition

__all__ = ["account_partition"]

_unnamed: WeakKeyDictionary[object, Partition] = WeakKeyDictionary()
"""Partitions of stores that have no lasting identity, as long as they exist."""


def account_partition(
    store: object, key: str, *, client_id: str, token_url: str, headers: Mapping[str, str] | None = None
) -> Partition:
    """Return the partition of an account.

    It lasts where the store has an attribute ``identity``, the same text for the same tokens in every process. Accounts
    of other stores share a partition within the process, if store and key are the same.

    Args:
        store: the store of tokens.
        key: the account's key in it.
        client_id: the client that the tokens are issued to.
        token_url: the address that issues them.
        headers: more header fields of each request, such as a realm's name.
    """
    fields = [f"{name.lower()}:{value}" for name, value in sorted((headers or {}).items())]
    names = (client_id, token_url, *fields)
    identity = getattr(store, "identity", None)
    if isinstance(identity, str) and identity:
        return Partition.of("store", identity, key, *names)
    try:
        unnamed = _unnamed.setdefault(store, Partition.unnamed())
    except TypeError:  # it has no hash, or takes no weak reference
        return Partition.unnamed()
    return Partition(Partition.of("store", unnamed.prefix, key, *names).prefix, is_lasting=False)
