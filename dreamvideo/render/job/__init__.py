"""A render that can be resumed: its folder, manifest, segments, stored frames and checkpoints."""
