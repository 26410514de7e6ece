"""HTTP transport: sessions, limits, retries, errors."""
