"""The guide: a page of Markdown for each topic, ready to print in a terminal."""

from __future__ import annotations

import re
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from dreamvideo.errors import UsageError

# In reading order: from what most people need to what few do.
TOPICS = (
    "looks",
    "galleries",
    "objectives",
    "masks",
    "schedules",
    "colours",
    "motion",
    "zooms",
    "files",
    "editors",
    "live-visuals",
    "pipes",
    "studio",
    "quality",
    "reports",
    "long-renders",
    "speed",
    "clusters",
    "networks",
    "options",
    "configuration",
    "python",
    "notebooks",
    "comfyui",
    "internals",
)
# Names that are not written like other words.
_NAMES = {"comfyui": "ComfyUI"}
# A picture in its own paragraph, with the caption below it.
_FIGURE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n\n(?:\*(?![ *]).*?[^\\]\*\n\n)?", re.M | re.S)
_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_PAGE_LINK = re.compile(r"\[([^\]]*)\]\(([\w-]+)\.md(?:#[\w-]*)?\)")
_SECTION_LINK = re.compile(r"\[([^\]]*)\]\(#[\w-]*\)")


def page_path(topic: str) -> Path:
    """Return the Markdown file of a topic. Raises UsageError, which names the nearest topic."""
    if topic not in TOPICS:
        near = nearest(topic)
        hint = f"did you mean {near}?" if near else f"choose {', '.join(TOPICS)}"
        raise UsageError(f"the guide has no page {topic!r}: {hint}")
    return Path(str(resources.files("dreamvideo") / "guide" / f"{topic}.md"))


def read_page(topic: str) -> str:
    """Return the Markdown of a topic, as it is in the repository. Raises UsageError."""
    return page_path(topic).read_text(encoding="utf-8")


def title(topic: str) -> str:
    """Return the title of a topic's page."""
    return _NAMES.get(topic, topic.replace("-", " ").capitalize())


def summary(topic: str) -> str:
    """Return the one line that says what a page is about: the first below its title."""
    return read_page(topic).split("\n", 3)[2]


def nearest(word: str) -> str | None:
    """Return the topic that a word most likely means; None if it resembles none.

    Compares it with the topics and with the words of their summaries and headings.
    """
    topics: dict[str, str] = {}
    for topic in TOPICS:
        prose = re.sub(r"^```.*?^```$", "", read_page(topic), flags=re.M | re.S)
        lines = [summary(topic), *re.findall(r"^#+ (.+)$", prose, re.M)]
        for known in re.findall(r"[a-z]{3,}", " ".join(lines).lower()):
            topics.setdefault(known, topic)
    topics |= {topic: topic for topic in TOPICS}
    found = get_close_matches(word.lower(), topics, n=1, cutoff=0.7)
    return topics[found[0]] if found else None


def printable(markdown: str) -> str:
    """Return Markdown without what a terminal cannot show.

    Figures are left out, pictures in tables become their names, and links to other pages become the
    commands that print them.
    """
    text = _FIGURE.sub("", markdown)
    text = _PICTURE.sub(r"\1", text)
    text = _PAGE_LINK.sub(r"\1 (`dreamvideo guide \2`)", text)
    return _SECTION_LINK.sub(r"\1", text)
