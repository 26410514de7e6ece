"""The ground floor: HAL documents as values.

Knows JSON, links, CURIEs, URI templates and RFC 3986. Must not know I/O, HTTP, or what any API means by its links.
"""
