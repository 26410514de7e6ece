"""UTF-8 of any text."""

from __future__ import annotations

__all__ = ["utf8"]


def utf8(text: str) -> bytes:
    """Return the bytes of a text in UTF-8, with those of lone surrogates, which a JSON document may contain."""
    return text.encode(errors="surrogatepass")
