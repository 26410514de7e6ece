"""Leases of fleets: accounts that belong to one process at a time."""
