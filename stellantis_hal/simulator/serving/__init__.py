"""Ways to reach the simulator: httpx transport, ASGI application, uvicorn server."""
