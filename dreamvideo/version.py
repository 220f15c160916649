"""The package's version, read once from its own metadata."""

from importlib.metadata import version

__version__ = version("dreamvideo")
