"""One step of a walk, decided: which link is meant, where it leads, and whether a copy is at hand already.

Knows documents and addresses, as values. Must not fetch anything.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypedDict

import attrs

from stellantis_hal.errors import AmbiguousLinkError, InvalidLinkError, LinkNotFoundError, TemplateError
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url, shortlist
from stellantis_hal.hal.uri import append_query, encode_query, resolve, to_ascii
from stellantis_hal.hal.uri_templates import expand, plain

__all__ = [
    "EmbeddedMode",
    "FollowOptions",
    "LinkQuery",
    "LinkTarget",
    "Params",
    "choose",
    "copies",
    "links_of",
    "query_of",
    "self_url",
    "target",
]

_COMPARED = 100  # relations, for a suggestion; comparing a million of them would take minutes

Params = Mapping[str, Any]
EmbeddedMode = Literal["prefer", "never", "only"]


class FollowOptions(TypedDict, total=False):
    """What a caller may say about a step.

    Attributes:
        name: the link's secondary key.
        index: its place among the links that match.
        where: a test that the link has to pass.
        variables: values for its template.
        params: appended to its query, encoded; None is left out, a list repeats the name.
        embedded: whether a copy in the document may serve: "prefer" (the usual: where it is the link's target, or where
            there is no link), "never", or "only".
        accept: the media type to ask for; None: what the link hints at.
    """

    name: str | None
    index: int | None
    where: Callable[[Link], bool] | None
    variables: Params | None
    params: Params | None
    embedded: EmbeddedMode
    accept: str | None


@attrs.frozen(kw_only=True)
class LinkQuery:
    """A step as it was asked for: a relation (literal key, compact URI, full URI, or bare name where only one has it),
    and the members of :class:`FollowOptions`.
    """

    rel: str
    name: str | None = None
    index: int | None = None
    where: Callable[[Link], bool] | None = None
    variables: Params | None = None
    params: Params | None = None
    embedded: EmbeddedMode = "prefer"
    accept: str | None = None


class LinkTarget(NamedTuple):
    """Where a hop leads: an address to fetch, or a copy by its place among those embedded."""

    link: Link | None
    url: str | None
    copy: tuple[str, int] | None


def choose(document: HalDocument, base: str, hop: LinkQuery) -> LinkTarget:
    """Decide a hop.

    An embedded copy serves where it is the link's target (its ``self`` is the link's address) or where there is no
    link at all.

    Raises:
        LinkNotFoundError: there is nothing of the kind.
        AmbiguousLinkError: there are several.
        InvalidLinkError: the link has no href.
        TemplateError: the variables do not fit.
    """
    links = links_of(document, hop.rel)
    if not links:
        if hop.embedded != "never":
            found = _pick_copy(document, base, hop)
            if found is not None:
                return LinkTarget(None, None, found)
        raise _not_found(document, base, hop)
    if hop.index is None:  # a null href stands for no link, as it does in walks
        links = tuple([link for link in links if link.href is not None]) or links
        if links[0].href is None and hop.embedded != "never":
            held = _pick_copy(document, base, hop)
            if held is not None:
                return LinkTarget(None, None, held)
    link = _pick(links, hop, document, base)
    found = _copy_by_text(document, link, hop) if hop.embedded != "never" else None
    if found is not None:
        return LinkTarget(link, None, found)
    url = target(link, base, hop.variables, hop.params)
    if hop.embedded != "never":
        for rel in copies(document, hop.rel):
            for index, copy in enumerate(document.embedded[rel]):
                if self_url(copy, base) == url:
                    return LinkTarget(link, None, (rel, index))
        if hop.embedded == "only":
            raise LinkNotFoundError(
                f"no embedded copy of {hop.rel!r} at {mask_url(base)}: its link leads elsewhere, and embedded='only' "
                "forbids to follow it",
                rel=hop.rel,
                available=tuple(document.embedded),
                url=base,
            )
    return LinkTarget(link, url, None)


# ------------------------------------------------------------------------------------------------- links


def links_of(document: HalDocument, rel: str) -> tuple[Link, ...]:
    """Find the links of a relation, by its literal key first, then through CURIEs."""
    links = document.links.get(rel)
    if links is not None:
        return links
    return tuple(link for key in document.curies.find(rel, document.rels) for link in document.links[key])


def _pick(links: tuple[Link, ...], hop: LinkQuery, document: HalDocument, base: str) -> Link:
    if len(links) == 1 and hop.name is None and hop.index is None and hop.where is None:
        return links[0]
    matching = [
        link for link in links if (hop.name is None or link.name == hop.name) and (hop.where is None or hop.where(link))
    ]
    if hop.index is not None:
        if not -len(matching) <= hop.index < len(matching):
            raise _not_found(document, base, hop)
        return matching[hop.index]
    if not matching:
        raise _not_found(document, base, hop)
    if any((link.href, link.templated) != (matching[0].href, matching[0].templated) for link in matching):
        rels = list(dict.fromkeys(link.rel for link in matching))
        raise AmbiguousLinkError(
            f"{len(matching)} links {hop.rel!r} match at {mask_url(base)}: choose with name=, index= or where=; "
            f"their names are [{shortlist([repr(link.name) for link in matching])}]"
            + (f", their relations [{shortlist([*map(repr, rels)])}]" if len(rels) > 1 else ""),
            rel=hop.rel,
            candidates=[link.href or "" for link in matching],
            url=base,
        )
    return matching[0]


def target(link: Link, base: str, variables: Params | None = None, params: Params | None = None) -> str:
    """Give the address behind a link: expanded, resolved, then appended to; without its fragment.

    Raises:
        InvalidLinkError: it has no href.
        TemplateError: the variables do not fit its template, or it has none.
    """
    if link.href is None:
        raise InvalidLinkError(
            f"the link {link.rel!r} at {mask_url(base)} has no href that is a string: it cannot be followed", url=base
        )
    if link.templated:
        try:
            href = expand(link.href, variables or {})
        except TemplateError as error:
            error.url = base
            raise
    elif variables:
        raise TemplateError(
            f"the link {link.rel!r} at {mask_url(base)} is no template, so it takes no variables; use params= to add "
            "to its query",
            url=base,
        )
    else:
        href = to_ascii(link.href)
    url = resolve(base, href).partition("#")[0]
    return append_query(url, query_of(params)) if params else url


def query_of(params: Params) -> str:
    """Encode parameters for a query: as template variables, but lists by repetition, and None left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        text = plain(value)
        several = text if isinstance(text, list) else [text]
        pairs += [(name, str(item)) for item in several if item is not None]
    return encode_query(pairs)


def _not_found(document: HalDocument, base: str, hop: LinkQuery) -> LinkNotFoundError:
    own = self_url(document, base) or base  # an embedded document came from what embeds it
    available = tuple(dict.fromkeys((*document.rels, *document.embedded)))
    near = difflib.get_close_matches(hop.rel, available[:_COMPARED], n=1)
    chosen = [f"{what}={value!r}" for what, value in (("name", hop.name), ("index", hop.index)) if value is not None]
    wanted = " with ".join([repr(hop.rel), *chosen])
    if hop.rel in document.links:
        names = [repr(link.name) for link in document.links[hop.rel]]
        hint = f"; links of that relation: {len(names)}, named [{shortlist(names)}]"
    elif hop.rel in available:
        hint = f"; {hop.rel!r} is embedded here, without a link"
    else:
        hint = f"; did you mean {near[0]!r}?" if near else ""
    return LinkNotFoundError(
        f"no link {wanted} at {mask_url(own)}; available: {shortlist(available) or 'none'}{hint}",
        rel=hop.rel,
        available=available,
        url=own,
    )


# ------------------------------------------------------------------------------------------------- embedded copies


def copies(document: HalDocument, rel: str) -> tuple[str, ...]:
    """Find the keys of ``_embedded`` that mean a relation: literally, through CURIEs, or else whatever their case."""
    embedded = document.embedded
    if rel in embedded:
        return (rel,)
    if not embedded:
        return ()
    return document.curies.find(rel, embedded) or tuple(key for key in embedded if key.lower() == rel.lower())


def self_url(document: HalDocument, base: str) -> str | None:
    """Give a document's own address as it says itself; None where it says nothing that can be followed."""
    for link in document.links.get("self", ()):
        try:
            return target(link, base)
        except (InvalidLinkError, TemplateError):
            continue
    return None


def _copy_by_text(document: HalDocument, link: Link, hop: LinkQuery) -> tuple[str, int] | None:
    """Find the copy whose ``self`` is the link's href as text, which spares resolving either."""
    if link.href is None or link.templated or hop.params or hop.variables:
        return None
    for rel in copies(document, hop.rel):
        for index, copy in enumerate(document.embedded[rel]):
            own = copy.links.get("self")
            if own and own[0].href == link.href and not own[0].templated:
                return rel, index
    return None


def _pick_copy(document: HalDocument, base: str, hop: LinkQuery) -> tuple[str, int] | None:
    found = [(rel, index) for rel in copies(document, hop.rel) for index in range(len(document.embedded[rel]))]
    if hop.name is not None or hop.where is not None:
        found = [(rel, index) for rel, index in found if _suits(document.embedded[rel][index], hop)]
    if hop.index is not None:
        found = found[hop.index :][:1] if -len(found) <= hop.index < len(found) else []
    if len(found) > 1:
        raise AmbiguousLinkError(
            f"{len(found)} documents are embedded as {hop.rel!r} at {mask_url(base)}: choose with index=, or read them "
            f"with .embedded({hop.rel!r}) or .items({hop.rel!r})",
            rel=hop.rel,
            candidates=[self_url(document.embedded[rel][index], base) or "" for rel, index in found],
            url=base,
        )
    return found[0] if found else None


def _suits(copy: HalDocument, hop: LinkQuery) -> bool:
    """Apply what selects links to a copy's own link."""
    return any(
        (hop.name is None or link.name == hop.name) and (hop.where is None or hop.where(link))
        for link in copy.links.get("self", ())
    )
