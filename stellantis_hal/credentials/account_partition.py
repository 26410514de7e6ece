"""The part of a cache that belongs to an account, by its store of tokens and its key."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from stellantis_hal.navigation.cache.partition import Partition

__all__ = ["account_partition"]

_unnamed: WeakKeyDictionary[object, Partition] = WeakKeyDictionary()
"""Partitions of stores that have no lasting identity, as long as they exist."""


def account_partition(store: object, key: str, *names: str) -> Partition:
    """Return the partition of an account.

    It lasts where the store has an attribute ``identity``, the same text for the same tokens in every process. Accounts
    of other stores share a partition within the process, if store and key are the same.

    Args:
        store: the store of tokens.
        key: the account's key in it.
        names: what else belongs to the account: the client, its server, its realm.
    """
    identity = getattr(store, "identity", None)
    if isinstance(identity, str) and identity:
        return Partition.of("store", identity, key, *names)
    try:
        unnamed = _unnamed.setdefault(store, Partition.unnamed())
    except TypeError:  # it has no hash, or takes no weak reference
        return Partition.unnamed()
    return Partition(Partition.of("store", unnamed.prefix, key, *names).prefix, is_lasting=False)
