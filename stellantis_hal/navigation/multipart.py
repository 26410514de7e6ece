"""Bodies of forms: multipart/form-data (RFC 7578) and application/x-www-form-urlencoded."""

from __future__ import annotations

import mimetypes
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlencode

from stellantis_hal.hal.header_mapping import fits_field
from stellantis_hal.hal.redaction import quoted
from stellantis_hal.hal.uri_templates import plain
from stellantis_hal.hal.utf8 import utf8
from stellantis_hal.navigation.streamed_request_bodies import (
    BodySource,
    Content,
    StreamedRequestBody,
    UploadSource,
    to_source,
)

__all__ = ["URLENCODED", "EncodedBody", "FileValue", "encode_multipart", "encode_urlencoded"]

FileValue: TypeAlias = BodySource | tuple[str, BodySource] | tuple[str, BodySource, str]
"""A file of a form: what to read it from; or its name and that; or its name, that, and its media type."""

URLENCODED = "application/x-www-form-urlencoded"
_DEFAULT_TYPE = "application/octet-stream"
# As in HTML (section 4.10.21.8 of the standard); other control characters, too, are never sent raw.
_ESCAPED = re.compile(r'["\x00-\x1f\x7f]')


class EncodedBody(NamedTuple):
    """A body, and its Content-Type."""

    content: Content
    content_type: str


def encode_urlencoded(fields: Mapping[str, Any]) -> EncodedBody:
    """Encode fields as ``a=1&b=2``: values as for query parameters, lists by repetition, None left out.

    Raises:
        TypeError: a value is a mapping.
    """
    return EncodedBody(urlencode(list(_pairs(fields))).encode(), URLENCODED)


def encode_multipart(
    fields: Mapping[str, Any], files: Mapping[str, FileValue | list[FileValue]], *, boundary: str | None = None
) -> EncodedBody:
    """Encode fields and files as multipart/form-data.

    The content is bytes where every file is, else a stream that opens paths when it is sent.

    Args:
        fields: values as for query parameters; lists by repetition, None left out.
        files: by the name of their field; lists by repetition.
        boundary: between the parts; None makes a random one.

    Raises:
        TypeError: a value has another type; a file opened as text is one.
        ValueError: a media type is no valid value of a header field, or a path is not that of a file.
        OSError: there is no file at a path.
    """
    boundary = boundary or secrets.token_hex(16)
    parts: list[bytes | UploadSource] = []
    for name, text in _pairs(fields):
        parts.append(_head(boundary, name) + utf8(text) + b"\r\n")
    for name, value in files.items():
        for file in value if isinstance(value, list) else [value]:
            parts += _file_part(boundary, name, file)
    parts.append(f"--{boundary}--\r\n".encode())
    return EncodedBody(_join(parts), f"multipart/form-data; boundary={boundary}")


def _pairs(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        text = plain(value)
        if isinstance(text, dict):
            raise TypeError(f"a form has texts and lists of texts, and {name!r} is a mapping: send JSON instead")
        for item in text if isinstance(text, list) else [text]:
            if item is not None:
                yield str(name), str(item)


def _file_part(boundary: str, name: str, file: FileValue) -> Iterator[bytes | UploadSource]:
    filename, source, media_type = _describe(name, file)
    found = to_source(source, f"the file {name!r}")
    if not fits_field(media_type):
        raise ValueError(f"the media type of the file {name!r} must be visible ASCII, not {quoted(media_type)}")
    yield _head(boundary, name, filename, media_type)
    yield found
    yield b"\r\n"


def _describe(name: str, file: FileValue) -> tuple[str, object, str]:
    """Return the file's name, what to read it from, and its media type."""
    filename: object
    if isinstance(file, tuple):
        if len(file) not in {2, 3} or not all(isinstance(text, str) for text in (file[0], *file[2:])):
            raise TypeError(f"the file {name!r} must be (name, content) or (name, content, media type)")
        filename, source, *rest = file
    else:
        filename, source, rest = None, file, []
    if not isinstance(filename, str):
        path = os.fspath(source) if isinstance(source, os.PathLike) else getattr(source, "name", None)
        filename = os.path.basename(path) if isinstance(path, str) else "upload"
    media_type = str(rest[0]) if rest else mimetypes.guess_type(filename)[0]
    return filename, source, media_type or _DEFAULT_TYPE


def _head(boundary: str, name: str, filename: str | None = None, media_type: str | None = None) -> bytes:
    disposition = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape(name)}"'
    if filename is not None:
        disposition += f'; filename="{_escape(filename)}"'
    if media_type is not None:
        disposition += f"\r\nContent-Type: {media_type}"
    return utf8(f"{disposition}\r\n\r\n")


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _join(parts: list[bytes | UploadSource]) -> Content:
    joined: list[bytes | UploadSource] = []
    for is_bytes, group in groupby(parts, lambda part: isinstance(part, bytes)):
        run = list(group)
        joined += [b"".join([part for part in run if isinstance(part, bytes)])] if is_bytes else run
    return joined[0] if len(joined) == 1 and isinstance(joined[0], bytes) else StreamedRequestBody(joined)
