"""Items of a page: embedded, behind links, or in the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs

from stellantis_hal.errors import AmbiguousLinkError, HalError, TooManyValuesError
from stellantis_hal.hal.document import HalDocument, flatten
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url, quoted, redacted_repr, shortlist
from stellantis_hal.navigation.link_selection import LinkQuery, embedded_keys, find_links, link_url, not_found

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = [
    "ITEM_SOURCES",
    "ItemLocation",
    "ItemSource",
    "LinkedItem",
    "check_size",
    "entries_of",
    "identity_of",
    "leads_to_collection",
    "pair_links",
]

ItemSource = Literal["auto", "embedded", "links", "state"]
ITEM_SOURCES = ("auto", "embedded", "links", "state")
_MAX_ITEMS = 20_000
_ITEM = "item"  # the registered relation (RFC 6573)
_ITEMS = "_items"  # Eve's key of items in the state
# Relations that lead to pages, documentation and the like, which some servers write as arrays.
_NO_ITEMS = frozenset((
    "about", "alternate", "collection", "curies", "describedby", "first", "help", "last", "next", "parent", "prev",
    "previous", "profile", "related", "search", "self", "start", "up",
))  # fmt: skip


@attrs.frozen(eq=False)
class LinkedItem:
    """An item that is not read yet: a link to it.

    Attributes:
        page: the resource that has the link.
        link: the link.
    """

    __repr__ = redacted_repr

    page: HalResource
    link: Link

    @property
    def self_url(self) -> str | None:
        """The URL of the item; None where the link cannot be followed."""
        try:
            return link_url(self.link, self.page.base)
        except HalError:
            return None

    async def fetch(self) -> HalResource:
        """Fetch the item.

        Raises:
            HalError: the link is invalid.
            StellantisError: fetching failed.
        """
        return await self.page.fetch_link(self.link)


def identity_of(item: HalResource | LinkedItem) -> str | None:
    """Return what identifies an item: its ``id``, else its URL; None where it has neither.

    Where items have no address of their own, their ``self`` may be that of the collection: it identifies none of them.
    """
    if isinstance(item, LinkedItem):
        return item.self_url
    id_ = item.document.peek("id")
    if isinstance(id_, str) or (isinstance(id_, int) and not isinstance(id_, bool)):
        return f"id:{id_}"
    url = item.self_url
    if url is not None and item.is_embedded and url in {item.base, item.base.partition("?")[0]}:
        return None
    return url


@attrs.frozen
class ItemLocation:
    """Which items a page has.

    Attributes:
        rel: the relation that they are embedded under or linked by, or the key in the state; None: the only list that
            is embedded, else ``item``.
        source: "embedded", "links", "state" or, for what is embedded and linked, "auto".
        optional: whether a page without the relation is a page without items.
        known: the relation that an earlier page showed, for pages that embed nothing; None: none did.
    """

    rel: str | None = None
    source: ItemSource = attrs.field(default="auto", validator=attrs.validators.in_(ITEM_SOURCES))
    optional: bool = False
    known: str | None = None

    def entries(self, page: HalResource) -> tuple[HalResource | LinkedItem, ...]:
        """Return the items of a page; empty where it has none.

        Raises:
            AmbiguousLinkError: several lists are embedded, and no relation is given.
            TooManyValuesError: the page has more than 20,000 items.
            NotHalError: the page is no JSON object, and a page without the relation is one without items.
        """
        check_size(page, page.value if page.kind == "array" else None, *page.document.outline.values())
        if self._is_array(page):
            return tuple(page.at(*path) for path, value in _walk(page.value) if isinstance(value, Mapping))
        rel = self._rel_of(page)
        if rel is None:
            return ()
        if self.source == "state":
            return tuple(
                page.at(rel, *path) for path, value in _walk(page.state.get(rel)) if isinstance(value, Mapping)
            )
        if self.source == "embedded":
            return page.embedded(rel)
        return entries_of(page, rel, has_copies=self.source == "auto")

    def after(self, page: HalResource) -> ItemLocation:
        """Return the selection for the pages after a page."""
        shown = self.known if self.rel is not None else self._rel_of(page)
        return self if shown == self.known else attrs.evolve(self, known=shown)

    def count(self, page: HalResource, items: Sequence[HalResource | LinkedItem] | None = None) -> int:
        """Return how many indexes a page's items take, those included that are not objects.

        Args:
            page: the page.
            items: its :meth:`entries`, where the caller has them.
        """
        if self._is_array(page):
            return len(flatten(page.value))
        rel = self._rel_of(page)
        if rel is None:
            return 0
        if self.source == "state":
            return len(flatten(_list(page.state.get(rel))))
        if self.source != "embedded" and find_links(page.document, rel):
            return len(self.entries(page) if items is None else items) + len(self.invalid(page))
        count, found = 0, _embedded_values(page.document, rel)
        for entry in found.values():
            count += len(flatten(entry)) if isinstance(entry, list) else bool(entry)
        if self.optional:
            others = _in_other_case(_part(page.document, "_embedded"), found, rel)
            count += sum(len(entry) for entry in others.values() if _has_objects(entry))
        return count

    def invalid(self, page: HalResource) -> Mapping[str, Any]:
        """Return the values among a page's items that are not objects, by JSON path.

        Lists that a page embeds in place of its items are among them, where a page without the relation is valid.
        Null, and an empty array in the place of an object, are valid: they mean that there is nothing.
        """
        if self._is_array(page):
            return _invalid_in("$", page.value)
        document = page.document
        rel = self._rel_of(page)
        if self.source == "state":
            return {} if rel is None else _invalid_in(f"$.{rel}", page.state.get(rel))
        invalid: dict[str, Any] = {}
        if self.source != "embedded" and rel is not None:
            links = _part(document, "_links").get(rel)
            found = _walk(links if isinstance(links, list) else [links])
            invalid = {
                _path(f"$._links.{rel}", path): one for path, one in found if not isinstance(one, dict | str | None)
            }
        if self.source == "links":
            return invalid
        embedded = document.outline.get("_embedded") or {}
        if not isinstance(embedded, Mapping):
            return {**invalid, "$._embedded": embedded}
        found_here = embedded if rel is None else _embedded_values(document, rel)
        if self.optional and rel is not None:
            is_missing = embedded.keys().isdisjoint(found_here)  # items under a new name?
            named = embedded if is_missing else _in_other_case(embedded, found_here, rel)
            invalid |= {f"$._embedded.{key}": entry for key, entry in named.items() if _has_objects(entry)}
        for key, entry in found_here.items():
            if isinstance(entry, list):
                invalid |= _invalid_in(f"$._embedded.{key}", entry)
            elif entry and not isinstance(entry, dict):
                invalid[f"$._embedded.{key}"] = entry
        return invalid

    def has(self, page: HalResource) -> bool:
        """Return whether a page has the relation, or says that it has no items."""
        if self._is_array(page):
            return True
        rel = self._rel_of(page)
        document = page.document
        if rel is None:
            if self.source == "auto" and _link_lists(document):
                return False  # an empty _embedded says nothing of what is linked
            return page.kind == "empty" or (self.source in {"auto", "embedded"} and "_embedded" in document.outline)
        if self.source == "state":
            return isinstance(page.state.get(rel), list)
        if self.source != "links" and (embedded_keys(document, rel) or rel in _part(document, "_embedded")):
            return True
        return self.source != "embedded" and _is_linked(document, rel)

    def missing(self, page: HalResource) -> HalError:
        """Return the error of an iteration whose pages do not have the relation, with what they have instead."""
        arrays = [key for key, value in page.state.items() if isinstance(value, list) and value]
        hint = f"; {arrays[0]!r} is an array of its state: pass source='state'" if arrays else ""
        if self.rel is not None:
            return not_found(page.document, page.base, LinkQuery(rel=self.rel), what="items", hint=hint)
        available = tuple(dict.fromkeys((*page.document.embedded, *page.rels)))
        example = next(iter(_link_lists(page.document)), "orders")
        return AmbiguousLinkError(
            f"nothing at {mask_url(page.url)} shows which its items are: it embeds no list, and has no link 'item'; "
            f"name them, as in .items({quoted(example)}); available: {shortlist(available) or 'none'}{hint}",
            rel="",
            candidates=available,
            url=page.url,
        )

    def _is_array(self, page: HalResource) -> bool:
        """Return whether the page itself is the list of items."""
        if self.optional and page.kind != "object":
            page.require_object()
        return self.rel is None and self.source in {"auto", "state"} and page.kind == "array"

    def _rel_of(self, page: HalResource) -> str | None:
        """Return the relation of a page's items, or their key in the state; None where it has none."""
        if self.rel is not None:
            return self.rel
        if self.source == "state":
            return _key_in_state(page)
        if self.source == "links":
            return _ITEM if _is_linked(page.document, _ITEM) else None
        document = page.document
        embedded = document.embedded
        keys = tuple(embedded)
        lists = keys
        if len(keys) > 1 or (keys and find_links(document, _ITEM)):
            raw = _part(document, "_embedded")
            lists = tuple(key for key in keys if isinstance(raw[key], list))
        if len(lists) == 1:
            return lists[0]
        if _ITEM in embedded or (self.source == "auto" and _is_linked(document, _ITEM)):
            return _ITEM
        if len(keys) > 1:
            raise AmbiguousLinkError(
                f"{mask_url(page.url)} embeds {shortlist([*map(repr, keys)])}: name the items, as in "
                f".items({quoted(keys[0])})",
                rel="",
                candidates=keys,
                url=page.url,
            )
        return keys[0] if keys else self.known


def _in_other_case(embedded: Mapping[str, Any], found: Mapping[str, Any], rel: str) -> dict[str, Any]:
    """Return what is embedded beside the items under their name in another case."""
    return {key: entry for key, entry in embedded.items() if key not in found and key.lower() == rel.lower()}


def _has_objects(entry: Any) -> bool:
    return isinstance(entry, list) and any(isinstance(item, Mapping) for item in entry)


def check_size(page: HalResource, *arrays: Any) -> None:
    """Raise TooManyValuesError for a page with more than 20,000 items embedded, linked or in one of these arrays."""
    body, found = page.document.outline, [*arrays]
    for part in (body.get("_embedded"), body.get("_links")):
        found += part.values() if isinstance(part, Mapping) else ()
    largest = max((len(flatten(array)) for array in found if isinstance(array, list)), default=0)
    if largest > _MAX_ITEMS:
        raise TooManyValuesError(
            f"the page at {mask_url(page.url)} has {largest} items: at most {_MAX_ITEMS} are read; ask for smaller "
            "pages, or read resource.value",
            url=page.url,
            values=largest,
        )


def entries_of(page: HalResource, rel: str, *, has_copies: bool = True) -> tuple[HalResource | LinkedItem, ...]:
    """Return what a relation leads to, in the order of its links, then the embedded copies that no link leads to.

    A copy serves where its ``self`` is the link's target. A null href is no link. A single link beside an embedded
    list, none of which is its target, leads to the collection, not to an item.

    Args:
        page: the resource.
        rel: the relation.
        has_copies: whether embedded copies are used.
    """
    links = [link for link in find_links(page.document, rel) if not link.is_null]
    copies = page.embedded(rel) if has_copies else ()
    if not links:
        return copies
    pairs, rest = pair_links(page, links, copies)
    if len(links) == 1 and isinstance(pairs[0][1], LinkedItem) and leads_to_collection(page.document, links[0], rel):
        return copies
    return (*(entry for _, entry in pairs), *rest)


def pair_links(
    page: HalResource, links: Sequence[Link], copies: Sequence[HalResource]
) -> tuple[list[tuple[Link, HalResource | LinkedItem]], list[HalResource]]:
    """Return each link with the copy of its target, or what is to be fetched; and the copies that no link leads to."""
    if not copies or not links:
        return [(link, LinkedItem(page, link)) for link in links], [*copies]
    copies_by_url: dict[str | None, list[HalResource]] = {}
    for copy in copies:
        copies_by_url.setdefault(copy.self_url, []).append(copy)
    pairs: list[tuple[Link, HalResource | LinkedItem]] = []
    used: set[int] = set()
    for link in links:
        linked = LinkedItem(page, link)
        url = linked.self_url
        found = copies_by_url.get(url, []) if url is not None else []
        chosen = next((copy for copy in found if id(copy) not in used), found[0] if found else None)
        used.add(id(chosen))
        pairs.append((link, linked if chosen is None else chosen))
    return pairs, [copy for copy in copies if id(copy) not in used]


def leads_to_collection(document: HalDocument, link: Link, rel: str) -> bool:
    """Return whether a link that is no target of an embedded list stands alone beside it: it leads to the whole."""
    is_single = not isinstance(_part(document, "_links").get(link.rel), list)
    return is_single and any(isinstance(entry, list) for entry in _embedded_values(document, rel).values())


def _embedded_values(document: HalDocument, rel: str) -> dict[str, Any]:
    """Return what is embedded under a relation, unread, by key."""
    embedded = _part(document, "_embedded")
    return {key: embedded.get(key) for key in dict.fromkeys((rel, *embedded_keys(document, rel)))}


def _key_in_state(page: HalResource) -> str | None:
    """Return the key of the only array of objects in a state; ``_items`` is preferred.

    Raises:
        AmbiguousLinkError: there are several.
    """
    state = page.state
    if isinstance(state.get(_ITEMS), list):
        return _ITEMS
    keys = [key for key, value in state.items() if any(isinstance(one, Mapping) for one in flatten(_list(value)))]
    keys = keys or [key for key, value in state.items() if value == []]
    if len(keys) > 1:
        raise AmbiguousLinkError(
            f"the state of {mask_url(page.url)} has several arrays, {shortlist([*map(repr, keys)])}: name the items, "
            f"as in .items({quoted(keys[0])}, source='state')",
            rel="",
            candidates=keys,
            url=page.url,
        )
    return keys[0] if keys else None


def _is_linked(document: HalDocument, rel: str) -> bool:
    """Return whether there are links of a relation, or its list is empty."""
    return bool(find_links(document, rel)) or rel in _part(document, "_links")


def _link_lists(document: HalDocument) -> tuple[str, ...]:
    """Return the relations with arrays of links that may be items: those that lead to other places are left out."""
    return tuple(
        rel
        for rel, links in _part(document, "_links").items()
        if isinstance(links, list) and links and rel not in _NO_ITEMS
    )


def _part(document: HalDocument, name: str) -> Mapping[str, Any]:
    part = document.outline.get(name)
    return part if isinstance(part, Mapping) else {}


def _path(prefix: str, steps: tuple[int, ...]) -> str:
    return f"{prefix}{''.join([f'[{index}]' for index in steps])}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _walk(value: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Return the values of an array, and of arrays in it, with their paths, in order."""
    pending: list[tuple[tuple[int, ...], Any]] = []
    pending.extend([((index,), one) for index, one in enumerate(_list(value))][::-1])
    while pending:
        path, one = pending.pop()
        if isinstance(one, list):
            pending += [((*path, index), nested) for index, nested in enumerate(one)][::-1]
        else:
            yield path, one


def _invalid_in(path: str, value: Any) -> dict[str, Any]:
    entries = _list(value)
    if all(isinstance(entry, dict) for entry in entries):
        return {}
    return {_path(path, steps): one for steps, one in _walk(entries) if not isinstance(one, dict)}
