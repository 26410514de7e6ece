"""An API made with Django REST framework, whose errors its serializers write.

It prints its port, then listens. It runs in an environment of its own, so no tool of this repository imports it.
"""
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for this test",
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - after the settings
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.decorators import api_view  # noqa: E402
from rest_framework.exceptions import NotFound  # noqa: E402
from rest_framework.response import Response  # noqa: E402


class Child(serializers.Serializer):
    """A child."""

    age = serializers.IntegerField(min_value=0)


class Person(serializers.Serializer):
    """A person, with children."""

    email = serializers.EmailField()
    home = Child(required=False)
    children = Child(many=True, required=False)

    def validate(self, attrs: Any) -> Any:
        """Refuse one address as a whole."""
        if attrs["email"] == "all@example.org":
            raise serializers.ValidationError("dates crossed")
        return attrs


@api_view(["POST"])
def people(request: Any) -> Response:
    """Validate one person, or a list of them."""
    serializer = Person(data=request.data, many=isinstance(request.data, list))
    serializer.is_valid(raise_exception=True)
    return Response({"valid": True}, status=201)


@api_view(["GET"])
def missing(request: Any) -> Response:
    """Find no account."""
    raise NotFound


urlpatterns = [path("people/", people), path("missing/", missing)]


class Quiet(WSGIRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()
