"""Segments dreamt by several processes: finding shots, dreaming, and cross-fading overlaps."""
