"""The command line: parse, build settings, call, print; every error one line."""

from dreamvideo.cli.entry import main

__all__ = ["main"]
