"""Compact URIs: short names for relations that are URIs.

Knows section 8.3 of the draft: ``curies`` names relations and documents them, and never touches an href. Must not
fetch documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from stellantis_hal.errors import TemplateError
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.uri_templates import expand

__all__ = ["NO_CURIES", "Curies"]


# Each document inherits all of its embedder's, and each of its relations may be expanded to be compared: a server that
# means well has a handful, and a hostile one could make that take hours.
_MOST = 100
_LONGEST = 256
_SEARCHED = 1_000


class Curies:
    """Prefixes and their URI templates, those of a document before those of what embeds it."""

    __slots__ = ("_templates",)

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._templates = templates

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes known here."""
        return tuple(self._templates)

    @property
    def templates(self) -> Mapping[str, str]:
        """The URI template of each prefix."""
        return self._templates

    def with_links(self, links: Iterable[Link]) -> Curies:
        """Add the ``curies`` of an embedded document, which win over those inherited; a hundred count at most."""
        named = ((link.name, link.href) for link in links if link.name is not None and link.href is not None)
        found = dict(islice(((name, href) for name, href in named if len(href) <= _LONGEST), _MOST))
        if not found:
            return self
        inherited = ((name, href) for name, href in self._templates.items() if name not in found)
        return Curies({**dict(islice(inherited, _MOST - len(found))), **found})

    def expand(self, rel: str) -> str | None:
        """Give the URI that a compact relation stands for; it is also where its documentation lies.

        None where the relation has no prefix that is known here (``tag:`` URIs contain colons and are none), or
        where the prefix has a template that cannot be expanded.
        """
        prefix, colon, reference = rel.partition(":")
        template = self._templates.get(prefix) if colon else None
        if template is None:
            return None
        try:
            return expand(template, {"rel": reference})
        except TemplateError:
            return None

    def find(self, wanted: str, keys: Iterable[str]) -> tuple[str, ...]:
        """Find the keys that mean the relation: itself, its full or compact form, or else its name without a prefix.

        For the latter two no more than the first thousand keys are looked at.
        """
        names = tuple(keys)
        if wanted in names:
            return (wanted,)
        if not self._templates:
            return ()
        names = names[:_SEARCHED]
        full = {name: self.expand(name) or name for name in names}
        uri = self.expand(wanted) or wanted
        same = tuple(name for name in names if full[name] == uri)
        if same:
            return same
        prefixed = {self.expand(f"{prefix}:{wanted}") for prefix in self._templates}
        return tuple(name for name in names if full[name] in prefixed)


NO_CURIES = Curies({})
