"""The page's brush: a mask painted over the frame, by pointer or by numbers."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element

from dreamvideo.errors import DreamVideoError
from dreamvideo.studio.form_state import MASK
from dreamvideo.studio.kept_pictures import canvas_size
from dreamvideo.studio.panels import Panel
from dreamvideo.studio.session import Studio
from dreamvideo.studio.widgets import box, change, show

_INVERT, _FEATHER = "mask.invert", "mask.feather"
_TINTED = "The mask: what is tinted is dreamt"
_LEFT_OUT = "The mask: what is tinted stays as it is"


class PaintPanel(Panel):
    """The tools of the mask, and its canvas, which lies over ``screen``; a script paints."""

    def __init__(self, studio: Studio, screen: Element) -> None:
        super().__init__(studio)
        self.is_open = False
        with screen:
            self.canvas = box("canvas", "paint", id="paint-canvas", role="img", aria_label=_TINTED)
        html = (resources.files("dreamvideo.studio") / "paint.html").read_text("utf-8")
        with box("div", "paint-tools", role="group", aria_label="Mask") as self.root:
            ui.html(html, sanitize=False).classes("form")
        self.root.on("edit", lambda e: self._edit(*e.args), js_handler="(e) => emit(e.detail)")
        self.seen: object = None

    def refresh(self) -> None:
        """Show the mask that is chosen."""
        material, choice = self.studio.material, self.studio.choice
        open_ = self.is_open and material is not None and choice.kind != "zoom"
        show(self.canvas, open_)
        show(self.root, open_)
        now = (choice, material)
        if not open_ or material is None or now == self.seen:
            self.seen = self.seen if open_ else None
            return
        try:
            mask = choice.look.mask
        except DreamVideoError:
            return
        path = Path(mask.mask or "")
        state = {
            "mask": f"/studio/mask/{quote(path.name)}" if path.suffix == ".png" else "",
            "size": canvas_size(material),
            "first": self.seen is None,
            "own": MASK in choice.changes,
            "invert": mask.invert,
            # What a saved look inverts no option takes back.
            "stuck": mask.invert and _INVERT not in choice.changes,
            "feather": mask.feather,
        }
        self.seen = now
        change(self.canvas, aria_label=_LEFT_OUT if mask.invert else _TINTED)
        ui.run_javascript(f"showMask({json.dumps(state)})")

    def _edit(self, what: str, value: Any) -> None:
        if what == "feather":
            self.studio.change(_FEATHER, round(min(max(float(value), 0.0), 1.0), 4))
        elif what == "invert":
            self.studio.change(_INVERT, True if value else None)
        elif what == "clear":
            self.studio.change(MASK, None)
