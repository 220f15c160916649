"""Resumable renders: job folder, manifest, segments, stored frames and checkpoints."""
