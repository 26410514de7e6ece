"""Notifications of the simulated vendor: the events that wait, and their delivery."""
