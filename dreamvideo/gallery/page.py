"""Write a gallery as one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template

from dreamvideo.gallery.variations import Tile
from dreamvideo.imaging import encode_jpeg
from dreamvideo.media.pixels import to_bytes

QUALITY = 85


def make_gallery_page(title: str, tiles: Sequence[Tile]) -> str:
    """Return the page: each picture above its name and its command, ready to copy."""
    figures = []
    for tile in tiles:
        data = base64.b64encode(encode_jpeg(to_bytes(tile.image), QUALITY)).decode("ascii")
        name, command = escape(tile.label), escape(tile.command)
        figures.append(
            f'<figure><img alt="{name}" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{name}</figcaption><button>{command}</button></figure>\n"
        )
    page = (resources.files("dreamvideo.gallery") / "page.html").read_text("utf-8")
    return Template(page).substitute(title=escape(title), figures="".join(figures))
