"""A terminal browser of HAL resources: links, embedded copies, forms, history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol

import attrs
from rich.json import JSON
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from stellantis_hal import HalResource, StellantisError, TemplateError
from stellantis_hal.cli.browser_dialogs import AskScreen, ChoiceScreen, ConfirmWriteScreen, HalFormScreen, shown
from stellantis_hal.cli.browser_entries import MAX_ENTRIES, Entry, entries_of
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.python_snippet import PythonSnippet
from stellantis_hal.cli.visible import is_secret, visible
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.hal.uri_templates import variables

__all__ = ["HalBrowser", "HasEntryResource", "VisitedResource"]

_MAX_HISTORY = 200
_MAX_DOCUMENT = 200_000
_READS = frozenset(("GET", "HEAD"))


class HasEntryResource(Protocol):
    """A client with an entry resource."""

    async def root(self) -> HalResource:
        """Return the entry resource."""
        ...


@attrs.frozen
class VisitedResource:
    """A resource that was visited.

    Attributes:
        resource: the resource.
        trail: the way to it.
    """

    resource: HalResource
    trail: PythonSnippet


class HalBrowser(App[None]):
    """The browser.

    Args:
        client: whose entry resource is shown first.
        name: the variable of the client in copied code.
        page: the first page; None for the entry resource.
        masked: whether personal data are masked, as in logs.
    """

    TITLE: str | None = "stellantis-hal browse"
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    CSS: ClassVar[str] = """
    AskScreen, ConfirmWriteScreen, ChoiceScreen, HalFormScreen { align: center middle; }
    .box { width: 80%; max-width: 100; height: auto; max-height: 90%; border: round $primary; padding: 0 1;
           background: $surface; }
    .fault { color: $error; }
    Button { margin: 0 1 0 0; }
    #where, #entries { text-wrap: nowrap; text-overflow: ellipsis; }
    #where { height: 1; background: $panel; padding: 0 1; }
    #note { height: auto; max-height: 6; padding: 0 1; color: $warning; }
    #entries { width: 40%; border: round $primary; }
    #pane { width: 1fr; border: round $primary; }
    .-narrow #body { layout: vertical; }
    .-narrow #entries { width: 100%; height: 40%; }
    """
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (70, "-wide")]  # noqa: RUF012 - as its base
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace,b", "previous", "back"),
        Binding("f", "next", "forward"),
        Binding("h", "history", "history"),
        Binding("r", "refresh", "refresh"),
        Binding("s", "source", "source"),
        Binding("d", "docs", "docs"),
        Binding("c", "copy", "copy as Python"),
        Binding("escape", "stop", "stop", show=False),
        Binding("q", "quit", "quit"),
    ]

    def __init__(
        self, client: HasEntryResource, *, name: str = "hal", page: VisitedResource | None = None, masked: bool = False
    ) -> None:
        super().__init__()
        self._client = client
        self._trail = PythonSnippet.at(name)
        self._pages: list[VisitedResource] = [] if page is None else [page]
        self._position = 0
        self._masked = masked
        self._is_source = False
        self._entries: list[Entry] = []

    @property
    def page(self) -> VisitedResource | None:
        """The page that is shown; None before the first."""
        return self._pages[self._position] if self._pages else None

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield Static(id="where")
        with Horizontal(id="body"):
            yield OptionList(id="entries")
            with VerticalScroll(id="pane"):
                yield Static(id="document")
        yield Static(id="note")
        yield Footer()

    def on_mount(self) -> None:
        """Show the first page."""
        if self._pages:
            self._show()
        else:
            self._load(self._root)

    async def _root(self) -> VisitedResource:
        return VisitedResource(await self._client.root(), self._trail)

    # --------------------------------------------------------------------------------------------- pages

    def _load(self, step: Callable[[], Awaitable[VisitedResource | str]]) -> None:
        """Go to a page in a worker, or show its note; the worker before it is stopped."""
        self.run_worker(self._go(step), exclusive=True)

    async def _go(self, step: Callable[[], Awaitable[VisitedResource | str]]) -> None:
        self._note("…")
        try:
            page = await step()
        except (StellantisError, TypeError, ValueError, OSError) as error:
            answer: HalResource | None = getattr(error, "resource", None)
            if answer is not None:  # it may have links, or a form to log in
                self._add(VisitedResource(answer, PythonSnippet("error.resource", is_awaited=False)))
            self._note(str(error))
            return
        self._note("" if isinstance(page, VisitedResource) else page)
        if isinstance(page, VisitedResource):
            self._add(page)

    def _add(self, page: VisitedResource) -> None:
        del self._pages[self._position + 1 :]
        self._pages = [*self._pages, page][-_MAX_HISTORY:]
        self._position = len(self._pages) - 1
        self._show()

    def _show(self) -> None:
        page = self.page
        if page is None:
            return
        resource = page.resource
        kind = "embedded" if resource.is_embedded else resource.status
        self.query_one("#where", Static).update(shown(f"{kind}  {resource.url}"))
        self._entries = []
        options: list[Option] = []
        for entry in entries_of(resource):
            if len(self._entries) == MAX_ENTRIES:
                options.append(Option(f"… only the first {MAX_ENTRIES} are listed", disabled=True))
                break
            self._entries.append(entry)
            options.append(Option(shown(entry.label)))
        listed = self.query_one("#entries", OptionList)
        listed.clear_options()
        listed.add_options(options)
        listed.highlighted = 0 if self._entries else None
        listed.focus()
        document = resource.document.body if self._is_source else dict(resource.state) or resource.value
        text = json_text(visible(document, masked=self._masked))
        is_cut = len(text) > _MAX_DOCUMENT
        content = Text(f"{text[:_MAX_DOCUMENT]}\n… cut: {len(text):,} characters") if is_cut else JSON(text)
        self.query_one("#document", Static).update(content)

    def _note(self, text: str) -> None:
        self.query_one("#note", Static).update(shown(text))

    # --------------------------------------------------------------------------------------------- following

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Follow the entry that was selected."""
        page = self.page
        if page is not None and event.option_list.id == "entries":
            entry = self._entries[event.option_index]
            self._load(lambda: self._follow(page, entry))

    async def _follow(self, page: VisitedResource, entry: Entry) -> VisitedResource | str:
        resource, trail = page.resource, page.trail
        if entry.kind == "copy":
            copies = resource.embedded(entry.rel)
            return VisitedResource(copies[entry.index], trail.embedded(entry.rel, entry.index))
        if entry.kind == "item":
            return VisitedResource(resource.at(entry.index), trail.at_index(entry.index))
        if entry.kind == "form":
            return await self._fill(page, entry.rel)
        options: dict[str, Any] = {} if entry.is_single else {"index": entry.index}
        link = entry.link
        if link is not None and link.templated and link.href is not None:
            try:
                names = variables(link.href)
            except TemplateError:
                names = ()  # following it raises the error to show
            if names:
                given = await self.push_screen_wait(AskScreen(link.href, names))
                if given is None:
                    return ""
                options["variables"] = given
        target = await resource.follow(entry.rel, **options)
        if "variables" in options:
            options["variables"] = {
                name: ... if is_secret(name) else text for name, text in options["variables"].items()
            }
        return VisitedResource(target, trail.follow(entry.rel, **options))

    async def _fill(self, page: VisitedResource, key: str) -> VisitedResource | str:
        form = page.resource.forms[key]
        shows = any(not field.hidden for field in form.fields)
        values = await self.push_screen_wait(HalFormScreen(form, masked=self._masked)) if shows else {}
        if values is None:
            return ""
        preview = form.preview(values)
        if preview.method not in _READS:
            names = ", ".join(values)
            request = f"{preview.method} {preview.url}" + (f"  with {names}" if names else "")
            if not await self.push_screen_wait(ConfirmWriteScreen(request)):
                return "nothing was sent"
        hidden = {field.name for field in form.fields if field.control == "password" or is_secret(field.name)}
        code = {name: ... if name in hidden or isinstance(value, Path) else value for name, value in values.items()}
        return VisitedResource(await form.submit(values), page.trail.submit(key, code))

    # --------------------------------------------------------------------------------------------- keys

    def action_previous(self) -> None:
        """Show the page before."""
        self._move(self._position - 1)

    def action_next(self) -> None:
        """Show the page after."""
        self._move(self._position + 1)

    def _move(self, position: int) -> None:
        if 0 <= position < len(self._pages):
            self._position = position
            self._note("")
            self._show()

    def action_history(self) -> None:
        """Ask which of the visited pages to show."""
        if self._pages:
            self.run_worker(self._ask_history(), exclusive=True)

    async def _ask_history(self) -> None:
        lines = [page.resource.url for page in self._pages]
        position = await self.push_screen_wait(ChoiceScreen("Visited", lines, self._position))
        if position is not None:
            self._move(position)

    def action_refresh(self) -> None:
        """Read the page again."""
        page = self.page
        if page is None:
            self._load(self._root)
        else:
            self._load(lambda: self._refresh(page))

    async def _refresh(self, page: VisitedResource) -> VisitedResource:
        return VisitedResource(await page.resource.refresh(), page.trail)

    def action_source(self) -> None:
        """Show the whole document instead of the state, or the state again."""
        self._is_source = not self._is_source
        self._show()

    def action_docs(self) -> None:
        """Show the URL of the documentation of the highlighted relation."""
        page, index = self.page, self.query_one("#entries", OptionList).highlighted
        if page is not None and index is not None and index < len(self._entries):
            rel = self._entries[index].rel
            self._note(page.resource.docs_url(rel) or f"{rel}: no documentation is declared")

    def action_copy(self) -> None:
        """Copy the way to the page as Python, and show it."""
        if self.page is not None:
            code = str(self.page.trail)
            self.copy_to_clipboard(code)
            self.query_one("#note", Static).update(
                Text(one_line(code))
            )  # it has no secrets: they are left out as "..."

    def action_stop(self) -> None:
        """Stop what is being loaded."""
        self.workers.cancel_all()
        self._note("")
