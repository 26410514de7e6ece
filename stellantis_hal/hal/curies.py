"""CURIEs: short names of relations whose full names are URIs (draft-kelly-json-hal section 8.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from stellantis_hal.errors import TemplateError
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.uri_templates import expand

__all__ = ["NO_CURIES", "Curies"]


# Each document inherits the CURIEs of the one that embeds it, and a lookup may expand every relation. Servers have a
# handful of CURIEs; without bounds a hostile server could make lookups take hours.
_MAX_PREFIXES = 100
_MAX_TEMPLATE = 256
_MAX_SEARCHED = 1_000


class Curies:
    """Prefixes and their URI templates: those of a document, then those of the documents that embed it."""

    __slots__ = ("_templates",)

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._templates = templates

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The declared prefixes."""
        return tuple(self._templates)

    @property
    def templates(self) -> Mapping[str, str]:
        """The URI template of each prefix."""
        return self._templates

    def with_links(self, links: Iterable[Link]) -> Curies:
        """Return these and the ``curies`` of an embedded document, which take precedence; at most 100 in all."""
        pairs = ((link.name, link.href) for link in links if link.name is not None and link.href is not None)
        found = dict(islice(((name, href) for name, href in pairs if len(href) <= _MAX_TEMPLATE), _MAX_PREFIXES))
        if not found:
            return self
        inherited = ((name, href) for name, href in self._templates.items() if name not in found)
        return Curies({**dict(islice(inherited, _MAX_PREFIXES - len(found))), **found})

    def expand(self, rel: str) -> str | None:
        """Return the URI of a compact relation, which is also the URL of its documentation.

        None where its prefix is not declared (``tag:`` URIs contain colons and are not compact), or where the template
        of the prefix cannot be expanded.
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
        """Return the keys that mean a relation: the key itself, its full or compact form, or else its bare name.

        For the full, compact and bare forms only the first 1,000 keys are compared.
        """
        names = tuple(keys)
        if wanted in names:
            return (wanted,)
        if not self._templates:
            return ()
        names = names[:_MAX_SEARCHED]
        full = {name: self.expand(name) or name for name in names}
        uri = self.expand(wanted) or wanted
        matching = tuple(name for name in names if full[name] == uri)
        if matching:
            return matching
        prefixed = {self.expand(f"{prefix}:{wanted}") for prefix in self._templates}
        return tuple(name for name in names if full[name] in prefixed)


NO_CURIES = Curies({})
