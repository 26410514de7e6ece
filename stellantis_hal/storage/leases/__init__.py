"""Leases: which process owns which shard, in a store that processes share."""
