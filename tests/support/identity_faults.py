"""Faults of an identity server that may pass."""

import attrs

from stellantis_hal.simulator import ConnectionRefused, Delay, Fault, HtmlError, Response, ServerFault
from stellantis_hal.simulator.faults.kinds import OAuthFault

__all__ = ["IDENTITY_FAULTS", "Page"]


@attrs.frozen
class Page(Fault):
    """A response in place of the identity server's."""

    status: int
    body: bytes = b""
    content_type: str = "text/html"
    location: str = ""

    def replacement(self) -> Response | None:
        headers = [("Content-Type", self.content_type)]
        if self.location:
            headers.append(("Location", self.location))
        return Response(status=self.status, headers=tuple(headers), body=self.body, kind="fault")


IDENTITY_FAULTS = {
    "html": HtmlError(200),
    "garbage": Page(200, b'\xff\x00{"access_', "application/json"),
    "no token": Page(200, b"{}", "application/json"),
    "login page": Page(302, location="https://login.example/"),
    "seen other": Page(303, location="https://login.example/"),
    "forbidden": HtmlError(403),
    "unauthorized page": HtmlError(401),
    "unauthorized": Page(401, b"Unauthorized", "text/plain"),
    "unauthorized, empty": Page(401),
    "unavailable": ServerFault(503, retry_after="7200"),
    "bad gateway": HtmlError(502),
    "refused": ConnectionRefused(),
    "silent": Delay(200.0),
    "server_error": OAuthFault("server_error", 400),
    "temporarily_unavailable": OAuthFault("temporarily_unavailable", 503),
    "error in a success": Page(200, b'{"error": "server_error"}', "application/json"),
    "unknown error": OAuthFault("internal_error", 400),
}
