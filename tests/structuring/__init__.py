"""Tests of structuring."""
