"""Credentials for any server: OAuth2 bearer tokens and HTTP Basic, and the stores of tokens."""
