"""Bodies of forms, against other encoders and parsers."""

import email.policy
import io
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.navigation.multipart import encode_multipart, encode_urlencoded
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\\"), min_size=1)
_MARK = "b" * 32


def _httpx_bytes(fields: dict[str, Any], files: Any) -> tuple[bytes, str]:
    """Return what httpx makes of a form."""
    headers = {"Content-Type": f"multipart/form-data; boundary={_MARK}"}
    request = httpx.Request("POST", "https://api.example/", data=fields, files=files, headers=headers)
    return request.read(), request.headers["Content-Type"]


@pytest.mark.unmeasured
@given(
    st.dictionaries(_NAMES, _TEXTS | st.lists(_TEXTS, max_size=3), max_size=4),
    st.dictionaries(_NAMES, st.tuples(_NAMES, st.binary(max_size=50)), min_size=1, max_size=3),
)
def test_multipart_is_byte_for_byte_that_of_httpx(fields: dict[str, Any], files: dict[str, Any]) -> None:
    assert tuple(encode_multipart(fields, files, boundary=_MARK)) == _httpx_bytes(fields, files)


def test_types_given_and_guessed_are_those_of_httpx() -> None:
    files: dict[str, Any] = {"a": ("a.png", b"1"), "b": ("b", b"2"), "c": ("c.png", b"3", "text/x"), "d": b"4"}
    assert tuple(encode_multipart({}, files, boundary=_MARK)) == _httpx_bytes({}, files)


def test_a_parser_reads_what_was_encoded() -> None:
    content, content_type = encode_multipart(
        {"name": "é\r\n--x", "list": ["1", "2"], "none": None, "yes": True}, {"scan": [("a.txt", b"1"), ("b", b"\0")]}
    )
    assert isinstance(content, bytes)
    message = BytesParser(policy=email.policy.HTTP).parsebytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + content
    )
    parts = [
        (part.get_param("name", header="content-disposition"), part.get_filename(), part.get_payload(decode=True))
        for part in message.iter_parts()
    ]
    assert parts == [
        ("name", None, "é\r\n--x".encode()),
        ("list", None, b"1"),
        ("list", None, b"2"),
        ("yes", None, b"true"),
        ("scan", "a.txt", b"1"),
        ("scan", "b", b"\0"),
    ]


@pytest.mark.parametrize("bad", ['a"; filename="b', "a\r\nX-Y: z", "a\n\nz", "a\0"])
def test_names_cannot_end_their_header_field(bad: str) -> None:
    content, _ = encode_multipart({bad: "1"}, {bad: (bad, b"2")}, boundary="m")
    assert isinstance(content, bytes)
    for head in (part.partition(b"\r\n\r\n")[0] for part in content.split(b"--m\r\n")[1:]):
        assert all(line.startswith((b"Content-Disposition: ", b"Content-Type: ")) for line in head.split(b"\r\n"))
        assert head.count(b'filename="') <= 1
        assert b"\0" not in head


def test_a_media_type_cannot_end_its_header_field() -> None:
    with pytest.raises(ValueError, match="the media type of the file 'a' must be visible ASCII, not "):
        encode_multipart({}, {"a": ("a", b"", "text/plain\r\nX: y")})


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("a.txt", "the file 'a' must be bytes, a Path, .*, not str: Path"),
        (("n", "text"), "the file 'a' must be bytes, a Path, .*, not str"),
        ({"name": b""}, "the file 'a' must be bytes, .*, not dict"),
        ((b"", "n"), r"the file 'a' must be \(name, content\) or"),
        (("n", b"", "t", {}), r"the file 'a' must be \(name, content\) or"),
        (io.StringIO("a"), "the file 'a' must be read as bytes, not as text"),
        (None, "the file 'a' must be bytes, .*, not NoneType"),
    ],
)
def test_what_is_no_file_is_refused(file: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        encode_multipart({}, {"a": file})


def test_a_mapping_is_no_value_of_a_form() -> None:
    words = "a form has texts and lists of texts, and 'a' is a mapping: send JSON instead"
    with pytest.raises(TypeError, match=words):
        encode_urlencoded({"a": {"b": 1}})
    with pytest.raises(TypeError, match=words):
        encode_multipart({"a": {"b": 1}}, {})


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_files_are_read_when_they_are_sent(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(b"%PDF")
    with path.open("rb") as file:
        content, _ = encode_multipart({"a": 1}, {"p": path, "f": file}, boundary="m")
        assert isinstance(content, StreamedRequestBody)
        reader = content.open()
        found = b"".join([chunk async for chunk in reader])
    head = (
        b'Content-Disposition: form-data; name="%s"; filename="scan.pdf"\r\nContent-Type: application/pdf\r\n\r\n%%PDF'
    )
    assert found == b"\r\n".join(
        [
            b'--m\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
            b"--m\r\n" + head % b"p",
            b"--m\r\n" + head % b"f",
            b"--m--\r\n",
        ]
    )
    assert len(found) == content.length


def test_files_without_a_name_get_one() -> None:
    content, _ = encode_multipart({}, {"a": io.BytesIO(b"x"), "b": [b"", b""]}, boundary="m")
    assert isinstance(content, StreamedRequestBody)
    assert content.length is not None
    alone, _ = encode_multipart({}, {"b": b""})
    assert isinstance(alone, bytes)
    assert b'filename="upload"' in alone


def test_each_form_has_a_boundary_of_its_own() -> None:
    assert len({encode_multipart({}, {"a": b""}).content_type for _ in range(5)}) == 5


@pytest.mark.unmeasured
@given(st.dictionaries(_TEXTS, _TEXTS, max_size=5))
def test_urlencoded_texts_are_read_back(fields: dict[str, str]) -> None:
    content, content_type = encode_urlencoded(fields)
    assert isinstance(content, bytes)
    assert dict(parse_qsl(content.decode(), keep_blank_values=True, strict_parsing=bool(fields))) == fields
    assert content_type == "application/x-www-form-urlencoded"


def test_urlencoded_values_are_those_of_query_parameters() -> None:
    fields = {"a": [1, 2, None], "b": None, "c": True, "d": "x y&é"}
    assert encode_urlencoded(fields).content == b"a=1&a=2&c=true&d=x+y%26%C3%A9"
