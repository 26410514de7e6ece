"""Blocks that status, telemetry and trips are made of."""
