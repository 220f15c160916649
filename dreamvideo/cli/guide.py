"""``guide``: the pages of the guide, in the terminal."""

from __future__ import annotations

import sys
from typing import Annotated, ClassVar

import typer

from dreamvideo.cli.app import Debug, app
from dreamvideo.cli.common import print_table
from dreamvideo.guide import TOPICS, printable, read_page, summary


@app.command()
def guide(
    topic: Annotated[
        str | None,
        typer.Argument(help="The page to print.", show_default="a list of the pages"),
    ] = None,
    *,
    debug: Debug = False,
) -> None:
    """Print a page of the guide, or list its pages."""
    if topic is None:
        print_table([(name, summary(name)) for name in TOPICS])
        return
    text = printable(read_page(topic.lower()))
    if sys.stdout.isatty():
        _print_rich(text)
    else:
        print(text, end="")


def _print_rich(text: str) -> None:
    """Print formatted Markdown; code lines are not wrapped, so that they can be copied."""
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.markdown import CodeBlock, Markdown
    from rich.text import Text

    class WholeLines(CodeBlock):
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            yield Text(str(self.text).rstrip(), style="cyan", no_wrap=True, overflow="ignore")

    class Page(Markdown):
        elements: ClassVar = {**Markdown.elements, "fence": WholeLines, "code_block": WholeLines}

    Console().print(Page(text, hyperlinks=False), crop=False)
