"""Typed values from tolerant JSON, as hooks of cattrs converters; for any API."""
