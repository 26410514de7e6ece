"""The only floor that sends bytes: quotas, limits, retries, errors, sessions.

Knows HTTP, TLS and how networks fail. Must not know tokens, accounts or what any resource means.
"""
