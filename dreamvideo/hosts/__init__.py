"""Programs that dreamvideo is a part of: thin adapters over its public functions."""
