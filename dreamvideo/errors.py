"""Errors a user can cause: each message is one line saying what, where, and what to do."""

from __future__ import annotations


class DreamVideoError(Exception):
    """A render or command failed; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(DreamVideoError):
    """What was asked for makes no sense: unknown name, impossible range, wrong ending."""

    exit_code = 2


class MediaError(DreamVideoError):
    """A file could not be read or written; the message names it."""


class DamagedError(DreamVideoError):
    """The source was damaged, and the user had asked to be told by the exit code."""

    exit_code = 3


class WeightsError(DreamVideoError):
    """A network's weights are not to be had; the message says how to get them."""


def leave(error: BaseException, words: str) -> None:
    """Note on an error what it has left behind to go on from."""
    error.__dict__["left"] = words


def left(error: BaseException) -> str:
    """What an error has left behind to go on from; empty: nothing."""
    return str(error.__dict__.get("left", ""))
