"""Faults: what they do to a response, and when they occur."""
