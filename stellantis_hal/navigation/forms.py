"""HAL-FORMS of a resource: filled in, previewed and submitted."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Mapping
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import attrs

from stellantis_hal.errors import FormError, HalError, InvalidLinkError, LinkNotFoundError
from stellantis_hal.hal.document import Diagnostic, HalDocument
from stellantis_hal.hal.form_submission import (
    MULTIPART,
    URLENCODED,
    FormValues,
    expand_target,
    fill,
    has_body,
    to_pairs,
    to_query,
)
from stellantis_hal.hal.forms import Choice, FieldTemplate, FormTemplate, FormTemplates, make_choices
from stellantis_hal.hal.json import decode_received, encode
from stellantis_hal.hal.redaction import excerpt, mask_repr, mask_url, redacted_repr, shortlist
from stellantis_hal.hal.uri import resolve, to_ascii
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Fetch, Request, Response
from stellantis_hal.navigation.link_selection import link_url
from stellantis_hal.navigation.media_types import media_type
from stellantis_hal.navigation.multipart import FileValue, encode_multipart, encode_urlencoded
from stellantis_hal.navigation.option_checks import REQUEST_OPTIONS, check_options
from stellantis_hal.navigation.streamed_request_bodies import Content
from stellantis_hal.navigation.writes import RequestOptions, write_request
from stellantis_hal.validation import require_flags

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Form", "FormField", "FormPreview", "Forms"]

T = TypeVar("T")
_log = logging.getLogger("stellantis_hal")
_CSV = "text/csv"
_FIRST_ERROR = 400
_OPTIONS = REQUEST_OPTIONS - {"json", "form", "files", "content", "content_type", "params"}
_MAX_ROWS = 20_000


_DETACHED = ResourceContext(cast("Fetch", None))
"""The context of previews of resources without a client: they send nothing."""


@attrs.frozen(kw_only=True)
class FormPreview:
    """The request of a form, without credentials.

    Attributes:
        method: the HTTP method.
        url: the absolute URL, query included.
        headers: the header fields that the form decides.
        content: the body: bytes, or a stream that opens files when it is sent; None for none.
        unchecked: why a value could not be checked against the pattern of its field, by field.
    """

    __repr__ = redacted_repr

    method: str
    url: str
    headers: Mapping[str, str]
    content: Content | None = attrs.field(default=None, repr=False)
    unchecked: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True, repr=False)
class FormField(FieldTemplate):
    """A field of a form, with its choices."""

    _resource: HalResource = attrs.field(repr=False, eq=False, alias="resource")

    async def choices(self, **variables: Any) -> tuple[Choice, ...]:
        """Return the values that may be chosen: those stated, else those behind the link of the options.

        Args:
            variables: values for the template of that link, such as the letters entered so far.

        Returns:
            The choices in their order, at most 10,000; none where any value may be entered.

        Raises:
            HalError: the link is invalid, or leads to something else than a list of choices; the field can be filled in
                as a text field then.
            StellantisError: fetching failed.
        """
        options = self.options
        if options is None or options.link is None:
            return () if options is None or options.inline is None else options.inline
        resource, link = self._resource, options.link
        url = link_url(link, resource.base, variables or None)
        context = resource.require_context()
        context.notify(link, resource.base)
        headers = context.request_headers(link.type)
        headers["Accept"] += f", {_CSV};q=0.5"
        response = await context.fetch(Request(url=url, headers=headers))
        items = _read_items(response, options.prompt_field, options.value_field)
        found = make_choices(items, options.prompt_field, options.value_field)
        if items and not found:
            raise HalError(
                f"the choices of the field {mask_repr(self.name)} cannot be read: no item at {mask_url(response.url)} "
                f"has the member {mask_repr(options.value_field)}",
                url=response.url,
            )
        if len(found) < len(items):
            _log.warning(
                "only %d of the items at %s are read as choices of the field %s",
                len(found), mask_url(response.url), mask_repr(self.name),
            )  # fmt: skip
        return found


class Form:
    """A form of a resource: ``await resource.forms["add"].submit(name="Ann")``.

    ``form["name"]`` is one of its fields.
    """

    __slots__ = ("_resource", "_template", "fields")

    def __init__(self, template: FormTemplate, resource: HalResource) -> None:
        self._template = template
        self._resource = resource
        self.fields: tuple[FormField, ...] = tuple(
            FormField(resource=resource, **attrs.asdict(field, recurse=False)) for field in template.fields
        )

    def __repr__(self) -> str:
        names = shortlist([field.name for field in self.fields])
        return f"<Form {mask_repr(self.key)} {mask_repr(self.method)} fields=[{names}]>"

    def __getitem__(self, name: str) -> FormField:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    @property
    def key(self) -> str:
        """Its key in ``_templates``."""
        return self._template.key

    @property
    def title(self) -> str:
        """A label for humans; the key where the document has none."""
        return self._template.title

    @property
    def method(self) -> str:
        """The HTTP method in upper case; "GET" where the document has none."""
        return self._template.method

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return self._template.content_type

    @property
    def url(self) -> str | None:
        """The URL that it is sent to, without what is entered; None where the document states none."""
        try:
            return self._target()
        except InvalidLinkError:
            return None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What deviates from HAL-FORMS, and how it is read."""
        return self._template.diagnostics

    def preview(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        files: Mapping[str, FileValue | list[FileValue]] | None = None,
        extra: Mapping[str, Any] | None = None,
        keep_query: bool = False,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> FormPreview:
        """Return the request that :meth:`submit` would send for the same arguments; nothing is sent.

        Args:
            values: values by field, for names that are no keyword arguments.
            files: files by field.
            extra: members to send unchecked, also instead of a field's value.
            keep_query: keep the query of the target, for forms sent as a query; default False: it is replaced.
            options: as for :meth:`submit`.
            fields: values by field.

        Raises:
            FormError: values do not fit their fields; with all faults.
            TypeError: there is no such field.
            InvalidLinkError: it has no target, and its resource no URL of its own.
        """
        request, unchecked = self._request(
            values, fields, files=files, extra=extra, keep_query=keep_query, options=options
        )
        return FormPreview(
            method=request.method,
            url=request.url,
            headers=request.headers,
            content=request.content,
            unchecked=unchecked,
        )

    def _request(
        self,
        values: Mapping[str, Any] | None,
        fields: Mapping[str, Any],
        *,
        files: Mapping[str, FileValue | list[FileValue]] | None,
        extra: Mapping[str, Any] | None,
        keep_query: bool,
        options: RequestOptions | None,
    ) -> tuple[Request, Mapping[str, str]]:
        """Return the request of a submission, and why values were not checked."""
        check_options("options= of submit", options or {}, _OPTIONS)
        require_flags(keep_query=keep_query)
        both = {*(values or {})} & {*fields}
        if both:
            raise TypeError(f"{shortlist(sorted(map(repr, both)))}: passed twice, in the mapping and by keyword")
        template, base = self._template, self._resource.base
        filled = fill(template, {**(values or {}), **fields}, files or {}, extra or {}, base)
        url, content, content_type = self._target(), None, None
        try:
            if not has_body(template.method):
                if template.fields or filled.values:
                    url = to_query(url, filled.values, keep=keep_query)
            elif template.fields or filled.values:
                content, content_type = _encode(template.content_type, filled)
        except (ValueError, RecursionError) as error:  # of a value that the document states, or of extra=
            reason = "it is no text of Unicode" if isinstance(error, UnicodeError) else str(error)
            fault = f"a value cannot be sent: {reason}"
            raise FormError(
                f"nothing was sent for the form {mask_repr(self.key)} of {mask_url(base)}: {fault}",
                errors={"": (fault,)},
                url=base,
            ) from error
        request = write_request(
            template.method, url, options or {}, self._resource.context or _DETACHED, self._resource.validators_for(url)
        )
        headers = request.headers if content_type is None else {**request.headers, "Content-Type": content_type}
        return attrs.evolve(request, headers=headers, content=content), filled.unchecked

    async def submit(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        files: Mapping[str, FileValue | list[FileValue]] | None = None,
        extra: Mapping[str, Any] | None = None,
        keep_query: bool = False,
        options: RequestOptions | None = None,
        **fields: Any,
    ) -> HalResource:
        """Send the form, and return the response as a resource, as a write does.

        What is sent are the values passed, and the values that the form states for its other fields. None sends null in
        JSON, and leaves the field out elsewhere.

        Args:
            values: values by field, for names that are no keyword arguments.
            files: files by field: a Path, bytes, a file opened in binary mode, or ``(name, content, media type)``; a
                list for several. Only fields of the type "file" in forms of multipart/form-data have them.
            extra: members to send unchecked, also instead of a field's value.
            keep_query: keep the query of the target, for forms sent as a query; default False: it is replaced, as in
                HTML.
            options: of the request, with the names and meanings of those of ``put()``: ``headers``, ``accept``,
                ``if_match``, ``if_none_match``, ``idempotency_key``, ``prefer``; default None: none. PUT, PATCH and
                DELETE of the resource itself are conditional by default.
            fields: values by field; a list for several.

        Raises:
            FormError: values do not fit their fields; with all faults, and nothing was sent.
            TypeError: there is no such field; nothing was sent.
            InvalidLinkError: it has no target, and its resource no URL of its own; nothing was sent.
            UntrustedOriginError: its target is not on a trusted origin; nothing was sent.
            StellantisError: sending failed.
        """
        request, unchecked = self._request(
            values, fields, files=files, extra=extra, keep_query=keep_query, options=options
        )
        for name, reason in unchecked.items():
            _log.warning(
                "the field %s of the form %s was not checked: %s", mask_repr(name), mask_repr(self.key), reason
            )
        return await self._resource.send(request, (options or {}).get("headers"))

    def _target(self) -> str:
        resource, target = self._resource, self._template.target
        if target is not None:
            return resolve(resource.base, to_ascii(expand_target(target))).partition("#")[0]
        own = resource.self_url or (None if resource.is_embedded else resource.snapshot.identity)
        if own is None and resource.status >= _FIRST_ERROR and not resource.is_embedded:
            own = resource.base  # an error has no URL of its own; its forms (to log in, to try again) belong to its URL
        if own is None:
            what = "copy embedded at" if resource.is_embedded else "answer of"
            raise InvalidLinkError(
                f"the form {mask_repr(self.key)} has no target, and the {what} {mask_url(resource.base)} that it "
                "belongs to has no self link: it cannot be sent",
                url=resource.base,
            )
        return own


class Forms(Mapping[str, Form]):
    """The forms of a resource by their keys; each is read when it is accessed."""

    __slots__ = ("_resource", "_templates")

    def __init__(self, resource: HalResource, document: HalDocument) -> None:
        self._resource = resource
        self._templates = FormTemplates(document.body)

    def __getitem__(self, key: str) -> Form:
        template = self._templates.get(key)
        if template is None:
            raise LinkNotFoundError(
                f"no form {mask_repr(key)} at {mask_url(self._resource.base)}; its forms are: "
                f"{shortlist([*self._templates]) or 'none'}",
                rel=key,
                available=[*self._templates],
                url=self._resource.base,
            )
        return Form(template, self._resource)

    @overload
    def get(self, key: str, /) -> Form | None: ...
    @overload
    def get(self, key: str, default: Form | T, /) -> Form | T: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the form of a key; the default where there is none."""
        return super().get(key, default) if key in self else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._templates)

    def __len__(self) -> int:
        return len(self._templates)

    def __contains__(self, key: object) -> bool:
        return key in self._templates

    def __repr__(self) -> str:
        return f"Forms({shortlist([*self._templates])})"

    @property
    def default(self) -> Form:
        """The form named ``default``, else the first.

        Raises:
            LinkNotFoundError: there is no form.
        """
        key = self._templates.default_key
        return self["default" if key is None else key]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What deviates from HAL-FORMS in all forms, and how it is read; computed at each access."""
        return self._templates.diagnostics


def _encode(content_type: str, filled: FormValues) -> tuple[Content, str]:
    """Return the body of a form and its Content-Type."""
    if content_type not in {MULTIPART, URLENCODED}:
        return encode(dict(filled.values)), content_type
    texts: dict[str, list[str]] = {}
    for name, text in to_pairs(filled.values):
        texts.setdefault(name, []).append(text)
    return encode_multipart(texts, filled.files) if content_type == MULTIPART else encode_urlencoded(texts)


def _read_items(response: Response, prompt_field: str, value_field: str) -> list[Any]:
    """Return the items of a list of choices: a JSON array, the only list embedded in a HAL document, or CSV."""
    essence, _ = media_type(response.headers.content_type)
    found: Any = None
    try:
        if essence == _CSV:
            found = _read_csv(response.content.decode("utf-8-sig", "replace"), prompt_field, value_field)
        else:
            found = decode_received(response.content)
    except (ValueError, csv.Error):
        pass  # reported below, with what it is
    if isinstance(found, dict):
        embedded = found.get("_embedded")
        lists = [items for items in embedded.values() if isinstance(items, list)] if isinstance(embedded, dict) else []
        found = lists[0] if len(lists) == 1 else None
    if isinstance(found, list):
        return found
    raise HalError(
        f"{mask_url(response.url)} responded with something else than a list of choices: a JSON array, a HAL document "
        f"with one embedded list, or CSV; it is {excerpt(essence, 80) or 'of no type'!r}, it begins "
        f"{excerpt(response.content, 80)!r}",
        url=response.url,
    )


def _read_csv(text: str, prompt_field: str, value_field: str) -> list[Any]:
    """Return the rows of a list of choices: values, or prompts and values, with or without a line of names."""
    rows = [row for row in islice(csv.reader(StringIO(text, newline="")), _MAX_ROWS) if row]
    if rows and value_field in rows[0]:
        names = rows[0]
        return [dict(zip(names, row, strict=False)) for row in rows[1:]]
    return [{prompt_field: row[0], value_field: row[1]} if len(row) > 1 else row[0] for row in rows]
