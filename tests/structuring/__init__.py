"""Structuring."""
