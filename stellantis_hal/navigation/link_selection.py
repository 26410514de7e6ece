"""Link selection: from a relation and options to a URL, or to an embedded copy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypedDict

import attrs

from stellantis_hal.errors import AmbiguousLinkError, InvalidLinkError, LinkNotFoundError, TemplateError
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_repr, mask_url, shortlist
from stellantis_hal.hal.uri import append_query, encode_query, resolve, to_ascii
from stellantis_hal.hal.uri_templates import expand, plain
from stellantis_hal.validation import require_type

__all__ = [
    "EmbeddedMode",
    "FollowOptions",
    "LinkQuery",
    "LinkTarget",
    "Params",
    "embedded_keys",
    "encode_params",
    "find_links",
    "link_url",
    "not_found",
    "select_link",
    "self_url",
]

_COMPARED_RELS = 100  # for a suggestion; comparing a million relations would take minutes

Params = Mapping[str, Any]
EmbeddedMode = Literal["prefer", "never", "only"]
_MODES = ("prefer", "never", "only")


class FollowOptions(TypedDict, total=False):
    """Options of following a link.

    Attributes:
        name: the link's secondary key.
        index: its index among the links that match.
        where: a predicate that the link has to satisfy.
        variables: values for its template.
        params: query parameters to append, encoded; None is left out, a list repeats the name.
        embedded: whether an embedded copy may serve: "prefer" (the default: where it is the link's target, or where
            there is no link), "never", or "only".
        accept: the media type to ask for; None: the type that the link hints at.
        headers: header fields to add.
    """

    name: str | None
    index: int | None
    where: Callable[[Link], bool] | None
    variables: Params | None
    params: Params | None
    embedded: EmbeddedMode
    accept: str | None
    headers: Mapping[str, str] | None


@attrs.frozen(kw_only=True)
class LinkQuery:
    """A relation (literal key, compact URI, full URI, or unambiguous bare name) with :class:`FollowOptions`.

    Raises:
        TypeError: ``variables`` or ``params`` is not a mapping.
        ValueError: ``embedded`` is none of its three words.
    """

    rel: str
    name: str | None = None
    index: int | None = None
    where: Callable[[Link], bool] | None = None
    variables: Params | None = None
    params: Params | None = None
    embedded: EmbeddedMode = "prefer"
    accept: str | None = None
    headers: Mapping[str, str] | None = None

    def __attrs_post_init__(self) -> None:
        if self.embedded not in _MODES:
            raise ValueError(f"embedded must be 'prefer', 'never' or 'only', not {self.embedded!r}")
        if self.variables is not None:
            require_type("variables", self.variables, Mapping, None, instead="{'page': 2}")
        if self.params is not None:
            require_type("params", self.params, Mapping, None, instead="{'page': 2}")


class LinkTarget(NamedTuple):
    """The result of a link query: a URL to fetch, or the key and index of an embedded copy."""

    link: Link | None = None
    url: str | None = None
    copy: tuple[str, int] | None = None


def select_link(document: HalDocument, base: str, query: LinkQuery) -> LinkTarget:
    """Return what a link query selects in a document.

    An embedded copy serves where it is the link's target (its ``self`` is the link's URL) or where there is no link.

    Raises:
        LinkNotFoundError: nothing matches.
        AmbiguousLinkError: several links or copies match.
        InvalidLinkError: the link has no href.
        TemplateError: the variables do not fit the template.
    """
    links = find_links(document, query.rel)
    if not links:
        if query.embedded != "never":
            found = _select_copy(document, base, query)
            if found is not None:
                return LinkTarget(copy=found)
        raise not_found(document, base, query)
    if query.index is None:  # as in pagination, a null href means that there is no link
        links = tuple([link for link in links if link.href is not None]) or links
        if links[0].href is None and query.embedded != "never":
            found = _select_copy(document, base, query)
            if found is not None:
                return LinkTarget(copy=found)
    link = _select_among(links, query, document, base)
    found = _find_copy_by_href(document, link, query) if query.embedded != "never" else None
    if found is not None:
        return LinkTarget(link, copy=found)
    url = link_url(link, base, query.variables, query.params)
    if query.embedded != "never":
        for key in embedded_keys(document, query.rel):
            for index, copy in enumerate(document.embedded[key]):
                if self_url(copy, base) == url:
                    return LinkTarget(link, copy=(key, index))
        if query.embedded == "only":
            raise LinkNotFoundError(
                f"no embedded copy of {mask_repr(query.rel)} at {mask_url(base)}: its link leads to another URL, which "
                "embedded='only' does not fetch; pass embedded='prefer' to follow it",
                rel=query.rel,
                available=tuple(document.embedded),
                url=base,
            )
    return LinkTarget(link, url)


# ------------------------------------------------------------------------------------------------- links


def find_links(document: HalDocument, rel: str) -> tuple[Link, ...]:
    """Return the links of a relation, by its literal key first, then through CURIEs."""
    links = document.links.get(rel)
    if links is not None:
        return links
    return tuple(link for key in document.curies.find(rel, document.rels) for link in document.links[key])


def _select_among(links: tuple[Link, ...], query: LinkQuery, document: HalDocument, base: str) -> Link:
    if len(links) == 1 and query.name is None and query.index is None and query.where is None:
        return links[0]
    matching = [link for link in links if _matches(link, query)]
    if query.index is not None:
        if not -len(matching) <= query.index < len(matching):
            raise not_found(document, base, query)
        return matching[query.index]
    if not matching:
        raise not_found(document, base, query)
    header_links = document.header_links
    if header_links:  # the document's own links precede those of its header
        matching = [one for one in matching if not any(one is link for link in header_links)] or matching
    if any((link.href, link.templated) != (matching[0].href, matching[0].templated) for link in matching):
        rels = list(dict.fromkeys(link.rel for link in matching))
        raise AmbiguousLinkError(
            f"{len(matching)} links {mask_repr(query.rel)} match at {mask_url(base)}: choose with name=, index= or "
            f"where=; their names are [{shortlist([repr(link.name) for link in matching])}]"
            + (f", their relations [{shortlist([*map(repr, rels)])}]" if len(rels) > 1 else ""),
            rel=query.rel,
            candidates=[link.href or "" for link in matching],
            url=base,
        )
    return matching[0]


def _matches(link: Link, query: LinkQuery) -> bool:
    return (query.name is None or link.name == query.name) and (query.where is None or query.where(link))


def link_url(link: Link, base: str, variables: Params | None = None, params: Params | None = None) -> str:
    """Return the URL of a link: expanded, resolved, without its fragment, with parameters appended.

    Raises:
        InvalidLinkError: it has no href.
        TemplateError: the variables do not fit its template, or it is not a template.
    """
    if link.href is None:
        raise InvalidLinkError(
            f"the link {mask_repr(link.rel)} at {mask_url(base)} cannot be followed: its href must be a string, as in "
            "{'href': '/trips'}",
            url=base,
        )
    if link.templated:
        try:
            href = expand(link.href, variables or {})
        except TemplateError as error:
            error.url = base
            raise
    elif variables:
        raise TemplateError(
            f"the link {mask_repr(link.rel)} at {mask_url(base)} is not a template, so it takes no variables; use "
            "params= to add to its query",
            url=base,
        )
    else:
        href = to_ascii(link.href)
    url = resolve(base, href).partition("#")[0]
    return append_query(url, encode_params(params)) if params else url


def encode_params(params: Params) -> str:
    """Encode query parameters: values as for template variables, lists by repetition, None left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        text = plain(value)
        texts = text if isinstance(text, list) else [text]
        pairs += [(name, str(item)) for item in texts if item is not None]
    return encode_query(pairs)


def not_found(
    document: HalDocument, base: str, query: LinkQuery, *, what: str = "link", hint: str = ""
) -> LinkNotFoundError:
    """Return the error of a relation that a document does not have, with what it has instead."""
    own_url = self_url(document, base) or base  # an embedded document has another URL than its response
    available = tuple(dict.fromkeys((*document.rels, *document.embedded)))
    similar = difflib.get_close_matches(query.rel, available[:_COMPARED_RELS])
    selectors = [
        f"{option}={value!r}" for option, value in (("name", query.name), ("index", query.index)) if value is not None
    ]
    wanted = " with ".join([repr(query.rel), *selectors])
    if query.rel in document.links:
        names = [repr(link.name) for link in document.links[query.rel]]
        hint += f"; links of that relation: {len(names)}, named [{shortlist(names)}]"
    elif query.rel in available:
        hint += f"; {mask_repr(query.rel)} is embedded here, without a link"
    else:
        hint += f"; did you mean {similar[0]!r}?" if similar else ""
    return LinkNotFoundError(
        f"no {what} {wanted} at {mask_url(own_url)}; available: {shortlist(available) or 'none'}{hint}",
        rel=query.rel,
        available=available,
        url=own_url,
    )


# ------------------------------------------------------------------------------------------------- embedded copies


def embedded_keys(document: HalDocument, rel: str) -> tuple[str, ...]:
    """Return the keys of ``_embedded`` that mean a relation: literally, through CURIEs, or else case-insensitively."""
    embedded = document.embedded
    if rel in embedded:
        return (rel,)
    if not embedded:
        return ()
    return document.curies.find(rel, embedded) or tuple(key for key in embedded if key.lower() == rel.lower())


def self_url(document: HalDocument, base: str) -> str | None:
    """Return the URL of a document's ``self`` link; None where it has none that can be followed."""
    for link in document.links.get("self", ()):
        try:
            return link_url(link, base)
        except (InvalidLinkError, TemplateError):
            continue
    return None


def _find_copy_by_href(document: HalDocument, link: Link, query: LinkQuery) -> tuple[str, int] | None:
    """Find the copy whose ``self`` has the same href as the link; comparing texts is cheaper than resolving both."""
    if link.href is None or link.templated or query.params or query.variables:
        return None
    for key in embedded_keys(document, query.rel):
        for index, copy in enumerate(document.embedded[key]):
            own_links = copy.links.get("self")
            if own_links and own_links[0].href == link.href and not own_links[0].templated:
                return key, index
    return None


def _select_copy(document: HalDocument, base: str, query: LinkQuery) -> tuple[str, int] | None:
    found = [(key, index) for key in embedded_keys(document, query.rel) for index in range(len(document.embedded[key]))]
    if query.name is not None or query.where is not None:
        found = [
            (key, index)
            for key, index in found
            if any(_matches(link, query) for link in document.embedded[key][index].links.get("self", ()))
        ]
    if query.index is not None:
        found = found[query.index :][:1] if -len(found) <= query.index < len(found) else []
    if len(found) > 1:
        raise AmbiguousLinkError(
            f"{len(found)} documents are embedded as {mask_repr(query.rel)} at {mask_url(base)}: choose with index=, "
            f"or read them with .embedded({mask_repr(query.rel)}) or .items({mask_repr(query.rel)})",
            rel=query.rel,
            candidates=[self_url(document.embedded[key][index], base) or "" for key, index in found],
            url=base,
        )
    return found[0] if found else None
