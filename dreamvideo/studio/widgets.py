"""Building blocks of the page: plain HTML elements, accessible by keyboard and screen reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

# An empty picture, so that an image always has a source.
BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
Handler = Callable[[Any], Any]


def words(tag: str, text: str, style: str = "", **attributes: Any) -> TextElement:
    """Create ``<tag>text</tag>`` with these classes and attributes.

    Args:
        tag: Name of the element.
        text: Its text.
        style: Its classes.
        attributes: Its attributes; ``_`` in a name means ``-``.
    """
    made = TextElement(tag=tag, text=text).classes(style)
    with_attributes(made, attributes)
    return made


def box(tag: str, style: str = "", **attributes: Any) -> Element:
    """Create a container element, like ``words``."""
    return with_attributes(ui.element(tag).classes(style), attributes)


def with_attributes(element: Element, attributes: Mapping[str, Any]) -> Element:
    """Set attributes verbatim, whatever characters their values contain."""
    for name, value in attributes.items():
        element.props[name.strip("_").replace("_", "-")] = value
    return element


def section(title: str, style: str = "", level: str = "h2") -> Element:
    """Create a section of the page with a heading.

    Args:
        title: The heading, which also names the section.
        style: Classes.
        level: Element of the heading.
    """
    made = box("section", f"card {style}".strip(), aria_label=title)
    with made:
        words(level, title)
    return made


def button(
    label: str, on_click: Callable[[], Any], style: str = "", **attributes: str
) -> TextElement:
    """Create a button.

    Args:
        label: Its text.
        on_click: Called on a click.
        style: Classes.
        attributes: Attributes.
    """
    made = words("button", label, f"btn {style}".strip(), type="button", **attributes)
    made.on("click", lambda _: on_click(), args=[])
    return made


def script_button(label: str, script: str, style: str = "", **attributes: str) -> TextElement:
    """Create a button whose click runs only in the page: ``script``, a function of its event."""
    made = words("button", label, f"btn {style}".strip(), type="button", **attributes)
    return made.on("click", js_handler=script)


def toggle(label: str, on_click: Callable[[], Any], title: str) -> TextElement:
    """Create a button that stays pressed, as ``press`` shows; ``title`` says what it is for."""
    return button(label, on_click, aria_pressed="false", title=title)


def press(toggle: Element, yes: bool) -> None:
    """Show a toggle as pressed or not."""
    change(toggle, aria_pressed="true" if yes else "false")


def mark(element: Element, style: str, yes: bool) -> None:
    """Give an element a class, or take it away."""
    element.classes(**{"add" if yes else "remove": style})


def text_field(label: str, value: str, on_change: Handler, **attributes: Any) -> Element:
    """Create a text field below its label.

    Args:
        label: Its label.
        value: Its text at first: what is being typed is left alone.
        on_change: Called with what has been typed.
        attributes: Attributes.
    """
    words("span", label)
    made = box("input", "number", type="text", **attributes)
    # As an attribute ("^"), which Vue leaves alone, it is only the initial value.
    made.props["^value"] = value
    return made.on(
        "change", lambda event: on_change(event.args), js_handler="(e) => emit(e.target.value)"
    )


def radio(group: str, value: str, checked: bool, on_pick: Callable[[], Any]) -> Element:
    """Create a radio button; the arrow keys move within a group.

    Args:
        group: Name of the group.
        value: Its value.
        checked: Whether it is chosen at first.
        on_pick: Called when it is chosen.
    """
    made = box("input", type="radio", name=group, value=value, checked=checked)
    return made.on("change", lambda _: on_pick(), args=[])


def select(label: str, options: Mapping[str, str], value: str, on_pick: Handler) -> Element:
    """Create a drop-down list, ``options`` by value; ``on_pick`` gets the value.

    Args:
        label: Its label.
        options: Text of each option by value.
        value: The value chosen at first.
        on_pick: Called with the chosen value.
    """
    with box("label", "field") as made:
        words("span", label)
        with box("select") as chosen:
            for each, shown in options.items():
                chosen_first: dict[str, Any] = {"selected": True} if each == value else {}
                words("option", shown, value=each, **chosen_first)
        chosen.on(
            "change", lambda event: on_pick(event.args), js_handler="(e) => emit(e.target.value)"
        )
    return made


class NumberInput:
    """A native number field; ``on_move`` gets its value.

    The page never sets the value of a field that is being changed, because a late update would
    overwrite what the user is typing.

    Args:
        name: The element's id.
        label: Accessible name.
        low: Smallest number.
        high: Largest number.
        step: What the arrow keys add.
        on_move: Called with every number that is chosen.
    """

    type = "number"
    style = "number"
    # The browser's event for a number that is typed completely.
    event = "change"

    def __init__(
        self, name: str, label: str, low: float, high: float, step: float, on_move: Handler
    ) -> None:
        self.name, self._value = name, low
        self.element = box(
            "input", self.style, id=name, type=self.type, aria_label=label, min=number_text(low)
        )
        self.bounds(high, step)
        # As an attribute ("^"), which Vue leaves alone, it is only the initial value.
        self.element.props["^value"] = number_text(low)
        self._on_move = on_move
        self.element.on(
            self.event,
            lambda event: self._on_input(event.args),
            throttle=0.05,
            js_handler="(e) => emit(e.target.value)",
        )

    def bounds(self, high: float, step: float) -> None:
        """Set the largest number and the step."""
        change(self.element, max=number_text(high), step=number_text(step))

    def show(self, value: float, words: str) -> None:
        """Set the value if it differs; ``words`` is its accessible text."""
        change(self.element, aria_valuetext=words)
        if abs(value - self._value) > 1e-6:
            self._put(value)

    def _put(self, value: float) -> None:
        self._value = value
        change(self.element, **{"^value": number_text(value)})
        # Late enough for new bounds to be applied, which would otherwise clamp it.
        self.element.client.run_javascript(
            f"setTimeout(() => {{const e = document.getElementById('{self.name}'); "
            f"if (e) e.value = {number_text(value)};}}, 50)"
        )

    def _on_input(self, text: str) -> None:
        try:
            moved = float(text)
        except ValueError:
            # An emptied field gets its number back.
            self._put(self._value)
            return
        self._value = moved
        self._on_move(moved)


class Range(NumberInput):
    """A slider: arrow keys, page keys, Home and End move it."""

    type = "range"
    style = "range"
    event = "input"


def number_text(value: float) -> str:
    """Format a number for HTML and scripts: whole numbers keep all their digits."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def film(style: str, **attributes: Any) -> Element:
    """Create a film that plays again and again, within the page; ``attributes`` as of ``box``."""
    return box("video", style, loop=True, playsinline=True, **attributes)


def picture(source: str, text: str, style: str = "", **attributes: str) -> Element:
    """Create an image with its alternative text.

    Args:
        source: Address of the image.
        text: The alternative text.
        style: Classes.
        attributes: Further attributes.
    """
    return box("img", style, src=source, alt=text, **attributes)


def show(element: Element, yes: bool) -> None:
    """Show or hide an element."""
    element.set_visibility(yes)


def change(element: Element, **attributes: Any) -> None:
    """Set attributes, and update the page only if they differ."""
    new = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
    if any(element.props.get(name) != value for name, value in new.items()):
        element.props.update(new)
        element.update()
