"""Modal screens of the HAL browser: questions, choices, forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Select, Static

from stellantis_hal import Choice, Form, FormError, FormField, StellantisError
from stellantis_hal.cli.visible import is_secret, mask_secrets, visible

__all__ = ["AskScreen", "ChoiceScreen", "ConfirmWriteScreen", "HalFormScreen", "shown"]


class AskScreen(ModalScreen[dict[str, str] | None]):
    """Asks for texts by name."""

    AUTO_FOCUS: ClassVar[str | None] = "Input"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]

    def __init__(self, title: str, names: tuple[str, ...]) -> None:
        super().__init__()
        self._heading = title
        self._names = names

    def compose(self) -> ComposeResult:
        """Compose a line for each name."""
        with VerticalScroll(classes="box"):
            yield Label(shown(self._heading))
            for index, name in enumerate(self._names):
                yield Input(placeholder=mask_secrets(name), id=f"ask{index}", password=is_secret(name))
            with Horizontal():
                yield Button("OK", id="ok", variant="primary")
                yield Button("Cancel", id="cancel")

    def on_input_submitted(self) -> None:
        """Answer with what was entered."""
        self.dismiss(
            {
                name: text
                for index, name in enumerate(self._names)
                if (text := self.query_one(f"#ask{index}", Input).value)
            }
        )

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer, or cancel."""
        if event.button.id == "ok":
            self.on_input_submitted()
        else:
            self.dismiss(None)

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class ConfirmWriteScreen(ModalScreen[bool]):
    """Asks whether a write may be sent, with its method and URL."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "send"),
        Binding("n,escape", "answer(False)", "cancel"),
    ]

    def __init__(self, request: str) -> None:
        super().__init__()
        self._request = request

    def compose(self) -> ComposeResult:
        """Compose the question."""
        with VerticalScroll(classes="box"):
            yield Label("Send this request? (y/n)")
            yield Static(shown(self._request), id="request")
            with Horizontal():
                yield Button("Send", id="yes", variant="error")
                yield Button("Cancel", id="no", variant="primary")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer."""
        self.dismiss(answer)


class ChoiceScreen(ModalScreen[int | None]):
    """Asks for one line of a list."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]

    def __init__(self, title: str, lines: list[str], start: int = 0) -> None:
        super().__init__()
        self._heading = title
        self._lines = lines
        self._first = start

    def compose(self) -> ComposeResult:
        """Compose the list."""
        with VerticalScroll(classes="box"):
            yield Label(shown(self._heading))
            yield OptionList(*map(shown, self._lines), id="choices")

    def on_mount(self) -> None:
        """Highlight the first choice."""
        listed = self.query_one("#choices", OptionList)
        listed.highlighted = self._first
        listed.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with the index of the line."""
        self.dismiss(event.option_index)

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class HalFormScreen(ModalScreen[dict[str, Any] | None]):
    """A form to fill in; answers with the values that were entered once they have no faults."""

    AUTO_FOCUS: ClassVar[str | None] = "Input, Select"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel"), Binding("ctrl+s", "send", "send")]

    def __init__(self, form: Form, *, masked: bool) -> None:
        super().__init__()
        self._form = form
        self._masked = masked
        self._shown: dict[str, tuple[FormField, Input | Select[Any]]] = {}
        self._stated: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """Compose a line for each field that is shown."""
        form = self._form
        with VerticalScroll(classes="box"):
            yield Label(shown(f"{form.title}  ({form.method} {form.url or 'no URL'})"))
            yield Label("", id="faults", classes="fault")
            for index, field in enumerate(form.fields):
                if field.hidden:
                    continue
                marks = " *" if field.required else " (read-only)" if field.read_only else ""
                yield Label(shown(f"{field.prompt}{marks}"))
                yield self._widget(index, field)
                if field.options is not None and field.options.link is not None and not field.read_only:
                    yield Button("choices…", id=f"choices{index}")
            with Horizontal():
                yield Button("Send", id="send", variant="primary")
                yield Button("Cancel", id="cancel")

    def _widget(self, index: int, field: FormField) -> Input | Select[Any]:
        widget: Input | Select[Any]
        default = field.default
        choices = None if field.options is None else field.options.inline
        if choices and not isinstance(default, list) and not field.read_only:
            lines = [(shown(choice.prompt), position) for position, choice in enumerate(choices)]
            chosen = next((position for position, choice in enumerate(choices) if choice.value == default), None)
            widget = Select(lines, id=f"field{index}")
            if chosen is not None:
                widget = Select(lines, id=f"field{index}", value=chosen)
        else:
            text = "" if default is None else default if isinstance(default, str) else json.dumps(default)
            is_hidden = field.control == "password" or is_secret(field.name)
            hint = "path of a file" if field.control == "file" else field.placeholder or ""
            if not is_hidden and visible(text, masked=self._masked) != text:
                # What is shown masked cannot be edited; left empty, the stated value is sent.
                text, hint = "", visible(text, masked=self._masked)
            self._stated[field.name] = text
            widget = Input(
                text, placeholder=mask_secrets(hint), password=is_hidden, disabled=field.read_only, id=f"field{index}"
            )
        self._shown[field.name] = (field, widget)
        return widget

    def values(self) -> dict[str, Any]:
        """Return what was entered; values left as stated are not among it."""
        found: dict[str, Any] = {}
        for name, (field, widget) in self._shown.items():
            if field.read_only:
                continue
            if isinstance(widget, Select):
                choices = field.options.inline if field.options is not None else None
                if isinstance(widget.value, int) and choices is not None:
                    found[name] = choices[widget.value].value
            elif widget.value != self._stated[name]:
                found[name] = _entered(field, widget.value)
        return found

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Send, cancel, or load choices."""
        button = event.button.id or ""
        if button == "send":
            self.action_send()
        elif button == "cancel":
            self.dismiss(None)
        else:
            self.run_worker(self._choose(int(button.removeprefix("choices"))), exclusive=True)

    async def _choose(self, index: int) -> None:
        field = self._form.fields[index]
        try:
            choices: tuple[Choice, ...] = await field.choices()
        except StellantisError as error:
            self._show_faults(str(error))
            return
        lines = [choice.prompt for choice in choices]
        chosen = await self.app.push_screen_wait(ChoiceScreen(field.prompt, lines)) if lines else None
        if chosen is not None:
            self.query_one(f"#field{index}", Input).value = str(choices[chosen].value)

    def on_input_submitted(self) -> None:
        """Send."""
        self.action_send()

    def action_send(self) -> None:
        """Answer with the values, or show their faults."""
        values = self.values()
        try:
            self._form.preview(values)
        except FormError as error:
            faults = [f"{name or 'form'}: {', '.join(found)}" for name, found in error.errors.items()]
            self._show_faults("\n".join(faults))
        except (StellantisError, ValueError, OSError) as error:
            self._show_faults(str(error))
        else:
            self.dismiss(values)

    def _show_faults(self, text: str) -> None:
        self.query_one("#faults", Label).update(Text("\n".join(map(mask_secrets, text.splitlines()))))

    def action_cancel(self) -> None:
        """Leave without sending."""
        self.dismiss(None)


def _entered(field: FormField, text: str) -> Any:
    """Return what was entered as a value: a path for files, and JSON where the form states something else than text."""
    if field.control == "file":
        return Path(text).expanduser() if text else None
    if field.default is not None and not isinstance(field.default, str):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def shown(text: str) -> Text:
    """Return a text from a server as it is shown: one line, without secrets and without markup."""
    return Text(mask_secrets(text))
