"""Find and read a panel's controls the way a person does: by what stands on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets

from fixlab.panels import Panel


def walk(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def button(panel: Panel, name: str) -> Any:
    (found,) = [
        w for w in walk(panel.widget) if isinstance(w, widgets.Button) and w.description == name
    ]
    return found


def enabled(panel: Panel) -> set[str]:
    buttons = [w for w in walk(panel.widget) if isinstance(w, widgets.Button)]
    return {w.description for w in buttons if not w.disabled}


def shown(panel: Panel) -> str:
    """All HTML of the panel, but for the style sheet."""
    texts = [w.value for w in walk(panel.widget) if isinstance(w, widgets.HTML)]
    return "\n".join(text for text in texts if not text.startswith("<style>"))


def image(panel: Panel) -> bytes:
    (found,) = [w for w in walk(panel.widget) if isinstance(w, widgets.Image)]
    return bytes(found.value)


def status(panel: Panel) -> str:
    text: str = panel.status.value
    return text
