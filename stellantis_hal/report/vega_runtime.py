"""The Vega-Lite runtime, as one script that needs nothing from the network."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from stellantis_hal.errors import ConfigurationError

__all__ = ["runtime"]


@cache
def runtime() -> str:
    """Return the script that defines ``window.vegaEmbed``; making it takes some 2 s, once in a process.

    Raises:
        ConfigurationError: the extra ``report`` is not installed.
    """
    try:
        converter = import_module("vl_convert")
    except ImportError as error:
        raise ConfigurationError(
            "vl-convert-python is not installed: pip install 'stellantis-hal[report]' brings it"
        ) from error
    bundle: str = converter.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # The bundle declares globals of one letter, and a script element ends where its text says so.
    return (
        f"(function(){{{bundle}}})();".replace("\r\n", "\n")
        .replace("</script", "<\\/script")
        .replace("<!--", "\\x3c!--")
    )
