"""The simulated HTTP API: gateway, identity server, routes and response bodies."""
