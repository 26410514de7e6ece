"""Integrations with other libraries, each loaded where it is used."""
