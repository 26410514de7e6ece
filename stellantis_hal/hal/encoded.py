"""Documents that are decoded in parts, where they are looked into; needs msgspec (extra ``speed``)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import GenericAlias
from typing import Any, Final

from stellantis_hal.hal.curies import NO_CURIES, Curies
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.json import decode

__all__ = ["LazilyDecodedDocument", "load_decoders", "parse_encoded"]

_EMBEDDED: Final = "_embedded"
_HAS_MSGSPEC: Final = find_spec("msgspec") is not None
_OBJECT: Final[dict[str, Any]] = {}  # stands for each object that is not decoded yet
_QUOTED: Final = b'"_embedded"'
_BRACE: Final = ord("{")
_MOST_KNOWN: Final = 32  # members of pages that are found in one pass


_Parts = tuple[Mapping[str, Any] | None, Mapping[str, list[Any]] | None]
"""The bytes of an object's members, and of its embedded documents; None where they are not all objects in arrays."""

_NO_PARTS: Final[_Parts] = (None, None)


def _dict_of(kind: Any) -> Any:
    return GenericAlias(dict, (str, kind))


class _Decoders:
    """Decoders that find the parts of an object without decoding them.

    Attributes:
        head: returns the id and the links of an object, None for one that is missing.
        refusals: what decoders raise for other bytes.
    """

    def __init__(self) -> None:
        self._msgspec = import_module("msgspec")
        self._raw = self._msgspec.Raw
        self._values: Callable[[Any], tuple[Any, ...]] = self._msgspec.structs.astuple
        make = self._msgspec.json.Decoder
        self._members: Callable[[Any], dict[str, Any]] = make(_dict_of(self._raw)).decode
        self._lists: Callable[[Any], dict[str, list[Any]]] = make(_dict_of(GenericAlias(list, (self._raw,)))).decode
        self.head: Callable[[Any], Any] = make(self._struct("id", "_links")).decode
        self.refusals: tuple[type[Exception], ...] = (self._msgspec.MsgspecError, ValueError, RecursionError)
        self._known: tuple[str, ...] = ("_links", "total", "currentPage", "totalPage")
        self._page = self._page_decoder()

    def _struct(self, *names: str, embedded: bool = False) -> Any:
        fields = [(f"m{index}", self._raw, None) for index in range(len(names))]
        rename = {f"m{index}": name for index, name in enumerate(names)}
        if embedded:
            fields.append(("items", _dict_of(GenericAlias(list, (self._raw,))), None))
            rename["items"] = _EMBEDDED
        return self._msgspec.defstruct("Members", fields, rename=rename, gc=False, forbid_unknown_fields=embedded)

    def _page_decoder(self) -> Callable[[Any], Any]:
        decode_page: Callable[[Any], Any] = self._msgspec.json.Decoder(self._struct(*self._known, embedded=True)).decode
        return decode_page

    def split(self, content: bytes) -> _Parts | Callable[[], _Parts]:
        """Return the parts of an object, or what returns them where the bytes are checked already.

        Raises:
            Exception: one of the refusals; the bytes are not a JSON object.
        """
        if _QUOTED not in content:
            return self._members(content), {}
        try:
            page = self._page(content)
        except self._msgspec.ValidationError:
            members = self._members(content)
        else:
            return functools.partial(self._parts_of, page, self._known)
        if _EMBEDDED not in members:
            return members, {}
        try:
            items = _objects(self._lists(members[_EMBEDDED]))
        except self.refusals:
            return members, None
        self._learn(members)
        return members, items

    def _parts_of(self, page: Any, known: tuple[str, ...]) -> _Parts:
        *raws, items = self._values(page)
        members = {name: raw for name, raw in zip(known, raws, strict=True) if raw is not None}
        return (members, {}) if items is None else (members | {_EMBEDDED: None}, _objects(items))

    def _learn(self, members: Mapping[str, Any]) -> None:
        """Find the members of such a page in one pass from now on."""
        new = [name for name in members if name != _EMBEDDED and name not in self._known and name.isidentifier()]
        if new and len(self._known) + len(new) <= _MOST_KNOWN:
            self._known += tuple(new)
            self._page = self._page_decoder()


def _objects(items: Mapping[str, list[Any]]) -> Mapping[str, list[Any]] | None:
    """Return embedded documents if they are all objects."""
    is_plain = all(memoryview(raw)[0] == _BRACE for found in items.values() for raw in found)
    return items if is_plain else None


@functools.cache
def _decoders() -> _Decoders:
    """Load msgspec and make the decoders, once, at the first document if not before."""
    return _Decoders()


def load_decoders() -> None:
    """Load msgspec where it is installed: some milliseconds, which may be those of a thread."""
    if _HAS_MSGSPEC:
        _decoders()


class LazilyDecodedDocument(HalDocument):
    """A document over bytes that are known to be a JSON object. Its members are decoded when they are looked at.

    Args:
        encoded: the bytes, as a buffer.
        parts: the bytes of its members and of its embedded documents, or what returns them; none of them for an
            embedded document.
        curies: the CURIEs inherited from the document that embeds it.
    """

    __slots__ = ("_encoded", "_head", "_outline", "_parts", "_whole")

    def __init__(
        self,
        encoded: Any,
        parts: _Parts | Callable[[], _Parts] = _NO_PARTS,
        *,
        curies: Curies = NO_CURIES,
    ) -> None:
        super().__init__(_OBJECT, curies=curies)
        self._encoded = encoded
        self._parts = parts
        self._head: Any = None
        self._outline: Mapping[str, Any] | None = None
        self._whole: Mapping[str, Any] | None = None

    @property
    def body(self) -> Mapping[str, Any]:
        """The whole object, decoded at the first access."""
        whole = self._whole
        if whole is None:
            whole = self._whole = decode(bytes(self._encoded))
        return whole

    @property
    def encoded(self) -> Any:
        """The bytes that it was read from, as a buffer."""
        return self._encoded

    def _found(self) -> _Parts:
        parts = self._parts
        if callable(parts):
            parts = self._parts = parts()
        return parts

    @property
    def outline(self) -> Mapping[str, Any]:
        """The object, with an empty object in the place of each embedded document that is not decoded yet."""
        if self._outline is None:
            members, found = self._found()
            if members is None or found is None:
                return self.body
            items = {rel: [_OBJECT] * len(raws) for rel, raws in found.items()}
            self._outline = {name: items if name == _EMBEDDED else decode(bytes(raw)) for name, raw in members.items()}
        return self._outline

    def peek(self, name: str) -> Any:
        """Return a member of the object, without decoding others where it can be; None where it is missing."""
        if self._whole is not None:
            return self._whole.get(name)
        members, _ = self._found()
        if members is not None:
            raw = members.get(name)
            if raw is None:  # missing, or embedded
                return None if name not in members else self.body.get(name)
        elif name in {"id", "_links"}:
            if self._head is None:
                self._head = _decoders().head(self._encoded)
            raw = self._head.m0 if name == "id" else self._head.m1
        else:
            return self.body.get(name)
        return None if raw is None else decode(bytes(raw))

    @property
    def embedded(self) -> Mapping[str, tuple[HalDocument, ...]]:
        """The documents embedded under each relation, none of them decoded yet."""
        if self._embedded is None:
            _, items = self._found()
            if items is None:
                return super().embedded
            curies = self.curies
            self._embedded = {
                rel: tuple([LazilyDecodedDocument(raw, curies=curies) for raw in found]) for rel, found in items.items()
            }
        return self._embedded


def parse_encoded(content: bytes, *, curies: Curies = NO_CURIES) -> HalDocument | None:
    """Return a JSON object as a document without decoding it; None where it has to be decoded.

    The whole of the bytes is checked: what :func:`stellantis_hal.hal.json.decode` refuses returns None here.

    Args:
        content: the bytes.
        curies: the CURIEs inherited from the document that embeds it.
    """
    if not _HAS_MSGSPEC:
        return None
    decoders = _decoders()
    try:
        if not content.isascii():
            content.decode()  # msgspec does not look into texts that it skips
        parts = decoders.split(content)
    except decoders.refusals:
        return None
    return LazilyDecodedDocument(content, parts, curies=curies)
