"""Render clips, stills and zooms: from source frames to dreamt frames."""
