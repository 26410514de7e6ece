"""HTTP cache (RFC 9111, private) around a Fetch."""
