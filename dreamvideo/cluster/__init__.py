"""Rendering on the workers of a Dask cluster: pass ``DaskExecutor(address)`` as ``executor``."""

from __future__ import annotations

from dreamvideo.cluster.executor import DaskExecutor

__all__ = ["DaskExecutor"]
