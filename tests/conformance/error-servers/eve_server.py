"""An API made with Eve over mongomock, which wants If-Match for every change.

It prints its port, then listens. It runs in an environment of its own, so no tool of this repository imports it.
"""
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from unittest.mock import patch
from wsgiref.simple_server import WSGIRequestHandler, make_server

import mongomock
from eve import Eve

SETTINGS = {
    "MONGO_DBNAME": "test",
    "RESOURCE_METHODS": ["GET", "POST", "DELETE"],
    "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
    "RENDERERS": ["eve.render.JSONRenderer"],
    "DOMAIN": {
        "people": {
            "schema": {
                "name": {"type": "string", "required": True, "minlength": 2},
                "age": {"type": "integer"},
                "address": {"type": "dict", "schema": {"zip": {"type": "string", "maxlength": 5}}},
            }
        }
    },
}


class Quiet(WSGIRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, *args: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    with patch("eve.io.mongo.flask_pymongo.MongoClient", mongomock.MongoClient):
        app = Eve(settings=SETTINGS)
        server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
        print(server.server_port, flush=True)
        server.serve_forever()
