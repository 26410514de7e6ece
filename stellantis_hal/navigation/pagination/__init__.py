"""Pagination: the items or pages of a collection."""
