"""Adapters that bring dreamvideo into other programs, over its public functions only."""
