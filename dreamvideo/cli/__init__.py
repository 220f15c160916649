"""The command line: parse, build settings, call, print; every error is one line."""

from dreamvideo.cli.entry import main

__all__ = ["main"]
