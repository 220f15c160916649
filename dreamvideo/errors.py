"""Errors that a user can cause: each message is one line saying what, where, and what to do."""

from __future__ import annotations


class DreamVideoError(Exception):
    """A render or command failed; ``exit_code`` is the exit code of the command line."""

    exit_code = 1


class UsageError(DreamVideoError):
    """The request makes no sense: unknown name, impossible range, wrong file extension."""

    exit_code = 2


class MediaError(DreamVideoError):
    """A file could not be read or written; the message names it."""


class DamagedError(DreamVideoError):
    """The source was damaged, and the user had asked to be told by the exit code."""

    exit_code = 3


class WeightsError(DreamVideoError):
    """A network's weights cannot be loaded; the message says how to get them."""


def leave(error: BaseException, words: str, *options: str) -> None:
    """Record on an error what it has left, and options by which the same command resumes."""
    error.__dict__["left"], error.__dict__["options"] = words, options


def left(error: BaseException) -> str:
    """Return what an error has left to resume from; empty if nothing."""
    return str(error.__dict__.get("left", ""))


def resuming_options(error: BaseException) -> tuple[str, ...]:
    """Return the options to add to a command that is to resume after this error."""
    return tuple(error.__dict__.get("options", ()))
