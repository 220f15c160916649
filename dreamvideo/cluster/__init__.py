"""Rendering on the workers of a Dask cluster: ``dream_video(clip, crew=DaskExecutor(address))``."""

from __future__ import annotations

from dreamvideo.cluster.executor import DaskExecutor

__all__ = ["DaskExecutor"]
