"""Write a gallery as one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from dreamvideo.gallery.variations import Tile
from dreamvideo.media.pixels import to_bytes

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 100rem;
  padding: 0 1rem; }}
main {{ display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }}
figure {{ margin: 0; }}
img {{ width: 100%; height: auto; display: block; border-radius: 4px; }}
figcaption {{ margin-top: .3rem; }}
button {{ font: 12px/1.4 ui-monospace, monospace; width: 100%; text-align: left;
  overflow-wrap: anywhere; padding: .3rem .5rem; border: 1px solid #8888; border-radius: 4px;
  background: #8881; color: inherit; cursor: copy; }}
button:focus-visible {{ outline: 2px solid #48f; }}
</style></head><body>
<h1>{title}</h1>
<p>A click on a command copies it.</p>
<main>
"""
_TAIL = """</main>
<script>
document.querySelector("main").addEventListener("click", async event => {
  const button = event.target.closest("button");
  if (!button) return;
  const text = button.textContent;
  try { await navigator.clipboard.writeText(text); }
  catch { const range = document.createRange(); range.selectNodeContents(button);
    getSelection().removeAllRanges(); getSelection().addRange(range);
    document.execCommand("copy"); }
  button.setAttribute("aria-label", "copied: " + text);
  button.style.borderColor = "#2a4";
});
</script></body></html>
"""
QUALITY = 85


def make_gallery_page(title: str, tiles: Sequence[Tile]) -> str:
    """Return the page: each picture above its name and its command, ready to copy."""
    parts = [_HEAD.format(title=escape(title))]
    for tile in tiles:
        data = base64.b64encode(_jpeg(tile)).decode("ascii")
        name, command = escape(tile.label), escape(tile.command)
        parts.append(
            f'<figure><img alt="{name}" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{name}</figcaption><button>{command}</button></figure>\n"
        )
    parts.append(_TAIL)
    return "".join(parts)


def _jpeg(tile: Tile) -> bytes:
    pixels = np.ascontiguousarray(to_bytes(tile.image)[..., ::-1])
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
