"""Render a page as one self-contained HTML file that cannot load anything else.

All text from files is escaped; in addition, the browser is told to run and show only the page's own
script, style, stills and films.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from importlib import resources
from string import Template
from typing import Any

from dreamvideo.media.paths import escape_text
from dreamvideo.report.review import Clip
from dreamvideo.report.stills import Still

Row = tuple[str, ...]


@dataclass(frozen=True)
class Player:
    """A film in the page, with the ``label`` shown over its picture."""

    label: str
    clip: Clip


@dataclass(frozen=True)
class Line:
    """A curve with one value per frame; ``times`` if they differ from the page's."""

    name: str
    values: Sequence[float | None]
    times: Sequence[float] | None = None


@dataclass(frozen=True)
class Panel:
    """Curves in one frame; ``capped`` if a few high peaks must not flatten the rest."""

    title: str
    words: str
    lines: tuple[Line, ...]
    capped: bool = False


@dataclass(frozen=True)
class Picture:
    """A still with its caption."""

    still: Still
    words: str = ""


@dataclass(frozen=True)
class Page:
    """Everything on the page, in order of appearance. Empty sections are omitted."""

    title: str
    subtitle: str
    times: Sequence[float]
    seconds: float
    ratio: float
    left: Player | None = None
    right: Player | None = None
    master: str = "right"
    sound: bool = False
    cards: Sequence[Row] = ()
    cuts: Sequence[float] = ()
    panels: Sequence[Panel] = ()
    curves_note: str = ""
    worst: Sequence[Picture] = ()
    sheets: Sequence[tuple[str, Sequence[Picture]]] = ()
    heads: Row = ()
    rows: Sequence[Row] = ()
    differences: Sequence[Row] | None = None
    recipes: Sequence[tuple[str, str]] = ()
    machine: Sequence[Row] = ()
    notes: Sequence[str] = field(default_factory=tuple)


def render_html(page: Page) -> str:
    """Return the whole file."""
    folder = resources.files("dreamvideo.report")
    style = (folder / "page.css").read_text("utf-8") + f":root {{ --ratio: {page.ratio:.5f}; }}\n"
    script = (folder / "page.js").read_text("utf-8")
    main = [
        *_render_notes(page),
        *_render_cards(page.cards),
        *_render_players(page),
        *_render_curves(page),
        *_render_stills("The worst moments", "big", page.worst, page),
        *(part for title, sheet in page.sheets for part in _render_stills(title, "", sheet, page)),
        *_render_table("Figures", page.heads, page.rows),
        *_render_differences(page),
        *_render_recipes(page.recipes),
        *_render_table("Machine and versions", (), page.machine),
    ]
    return Template((folder / "page.html").read_text("utf-8")).substitute(
        policy=_make_policy(style, script),
        title=quote(page.title),
        subtitle=quote(page.subtitle),
        style=style,
        main="".join(main),
        data="".join(_embed_data(page)),
        script=script,
    )


def quote(text: object) -> str:
    """Escape text from any source for the page."""
    lines = str(text).split("\n")
    return escape("\n".join(escape_text(line.replace("\t", "    ")) for line in lines), quote=True)


def _make_policy(style: str, script: str) -> str:
    allowed = [
        f"{kind}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
        for kind, text in (("style", style), ("script", script))
    ]
    rest = "img-src data:; media-src blob:; base-uri 'none'; form-action 'none'"
    return "; ".join(["default-src 'none'", *allowed, rest])


def _embed_data(page: Page) -> Iterable[str]:
    held: dict[str, Any] = {
        "seconds": page.seconds,
        "times": list(page.times),
        "cuts": list(page.cuts),
        "panels": [
            {
                "capped": panel.capped,
                "lines": [
                    {"values": list(line.values), "times": line.times and list(line.times)}
                    for line in panel.lines
                ],
            }
            for panel in page.panels
        ],
    }
    text = json.dumps(held, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    yield f'<script type="application/json" id="data">{text}</script>\n'
    for side, player in (("left", page.left), ("right", page.right)):
        if player is not None:
            data = b64encode(player.clip.data).decode("ascii")
            yield f'<script type="text/plain" id="clip-{side}">{data}</script>\n'


def _render_notes(page: Page) -> Iterable[str]:
    if page.notes:
        items = "".join(f"<li>{quote(note)}</li>" for note in page.notes)
        yield f'<ul class="notes" aria-label="Notes">{items}</ul>\n'


def _render_cards(cards: Sequence[Row]) -> Iterable[str]:
    if cards:
        yield '<dl class="cards">'
        for name, value, small in cards:
            yield f"<div><dt>{quote(name)}</dt><dd>{quote(value)}<small>{quote(small)}</small>"
            yield "</dd></div>"
        yield "</dl>\n"


def _render_players(page: Page) -> Iterable[str]:
    sides = [("left", page.left), ("right", page.right)]
    there = [(side, player) for side, player in sides if player is not None]
    if not there:
        return
    both = len(there) == 2
    yield '<section class="player" aria-label="Player">\n'
    yield f'<div class="stage {"split" if both else there[0][0]}">\n'
    # The left one is on top, and is clipped at the divider.
    for side, player in reversed(there):
        master = " data-master" if side == page.master or not both else ""
        mute = "" if master and page.sound else " muted"
        yield f'<video class="{side}" data-clip="clip-{side}"{master}{mute} playsinline '
        yield f'preload="auto" aria-label="{quote(player.label)}"></video>\n'
    for side, player in there:
        yield f'<span class="tag {side}">{quote(player.label)}</span>\n'
    if both:
        yield '<div class="divider" role="slider" tabindex="0" aria-label="Divider between '
        yield f'{quote(there[0][1].label)} and {quote(there[1][1].label)}" aria-valuemin="0" '
        yield 'aria-valuemax="100" aria-valuenow="50"></div>\n'
    yield "</div>\n"
    yield from _render_bar(page, [(side, player.label) for side, player in there])
    for _, player in there:
        if player.clip.proxy:
            yield f'<p class="soft">{quote(player.label)}: played here is a copy, '
            yield f"{quote(player.clip.proxy)}, not the file itself.</p>\n"
    yield "</section>\n"


def _render_bar(page: Page, sides: Sequence[tuple[str, str]]) -> Iterable[str]:
    yield '<div class="bar"><button id="play" type="button">Play</button>'
    yield '<button id="back" type="button" aria-label="One frame back">&#9664;</button>'
    yield '<button id="on" type="button" aria-label="One frame forward">&#9654;</button>'
    yield f'<input id="scrub" type="range" min="0" max="{max(0, len(page.times) - 1)}" value="0" '
    yield 'aria-label="Frame"><output id="position"></output></div>\n<div class="bar">'
    if len(sides) == 2:
        views = [("split", "divided"), ("beside", "side by side"), *sides]
        yield '<fieldset aria-label="View">'
        for number, (value, label) in enumerate(views):
            chosen = "" if number else " checked"
            yield f'<label><input type="radio" name="view" value="{value}"{chosen}> '
            yield f"{quote(label)}</label>"
        yield "</fieldset>"
    yield '<label>speed <select id="speed"><option>0.25</option><option>0.5</option>'
    yield "<option selected>1</option><option>2</option></select></label>"
    yield '<label><input id="again" type="checkbox"> repeat</label>'
    if page.sound:
        yield '<label><input id="mute" type="checkbox" checked> sound</label>'
    yield '</div>\n<p class="soft"><kbd>space</kbd> plays, <kbd>,</kbd> and <kbd>.</kbd> go a '
    yield "frame back and forward"
    yield "; on the divider the arrow keys move it.</p>\n" if len(sides) == 2 else ".</p>\n"


def _render_curves(page: Page) -> Iterable[str]:
    if not page.panels:
        return
    yield f"<h2>Over time</h2>\n<p>{quote(page.curves_note)}</p>\n"
    yield '<div class="panels">\n'
    for number, panel in enumerate(page.panels):
        if not panel.lines:
            yield f'<div class="panel"><h3>{quote(panel.title)}</h3>'
            yield f'<p class="soft">{quote(panel.words)}</p></div>\n'
            continue
        names = "".join(
            f"<span{' class=second' if n else ''}>{quote(line.name)} <b></b></span>"
            for n, line in enumerate(panel.lines)
        )
        yield f'<figure class="panel" data-panel="{number}"><div class="key">{names}</div>'
        yield f"<h3>{quote(panel.title)}</h3><div class=plot>"
        yield '<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        yield f'aria-label="{quote(panel.title)} over time"></svg>'
        yield '<span class="most"></span><span class="least"></span></div>'
        yield f'<div class="axis"><span>0 s</span><span>{page.seconds:.4g} s</span></div>'
        yield f"<figcaption>{quote(panel.words)}</figcaption></figure>\n"
    yield "</div>\n"


def _render_stills(title: str, kind: str, pictures: Sequence[Picture], page: Page) -> Iterable[str]:
    if not pictures:
        return
    links = page.left is not None or page.right is not None
    yield f"<h2>{quote(title)}</h2>\n"
    if links:
        yield "<p class=soft>Each leads to its time in the player.</p>\n"
    yield f'<ul class="stills {kind}">\n'
    for picture in pictures:
        index = picture.still.index
        time = f"{page.times[min(index, len(page.times) - 1)]:.2f} s"
        data = b64encode(picture.still.jpeg).decode("ascii")
        image = f'<img alt="frame {index}" src="data:image/jpeg;base64,{data}">'
        inner = f"{image}<b>{time}</b> {quote(picture.words)}"
        if links:
            yield f'<li><a href="#frame={index}" data-frame="{index}">{inner}</a></li>\n'
        else:
            yield f'<li><span class="dead">{inner}</span></li>\n'
    yield "</ul>\n"


def _render_table(title: str, heads: Row, rows: Sequence[Row]) -> Iterable[str]:
    if not rows:
        return
    yield f'<h2>{title}</h2>\n<div class="wide"><table>'
    if heads:
        yield ("<tr>" + "".join(f'<th scope="col">{quote(head)}</th>' for head in heads) + "</tr>")
    for name, *values in rows:
        cells = "".join(f"<td>{quote(value)}</td>" for value in values)
        yield f'<tr><th scope="row">{quote(name)}</th>{cells}</tr>'
    yield "</table></div>\n"


def _render_differences(page: Page) -> Iterable[str]:
    if page.differences is None:
        return
    if page.differences:
        yield from _render_table(
            "What differs in the recipes", ("", *page.heads[1:]), page.differences
        )
    else:
        yield "<h2>What differs in the recipes</h2>\n<p>Nothing that is recorded.</p>\n"


def _render_recipes(recipes: Sequence[tuple[str, str]]) -> Iterable[str]:
    if not recipes:
        return
    yield '<h2>Recipe</h2>\n<div class="recipes">\n'
    for number, (title, text) in enumerate(recipes):
        yield f'<div><p>{quote(title)} <button type="button" data-copy="recipe-{number}">Copy'
        yield f'</button></p><pre id="recipe-{number}">{quote(text)}</pre></div>\n'
    yield "</div>\n"
