"""Watching a fleet: polling many vehicles within a rate limit."""
