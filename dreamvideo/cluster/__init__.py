"""A render on the workers of a Dask cluster: ``dream_video(clip, crew=Farm(address))``."""

from __future__ import annotations

from dreamvideo.cluster.farm import Farm

__all__ = ["Farm"]
