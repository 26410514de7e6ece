"""The clients: they only put floors together."""
