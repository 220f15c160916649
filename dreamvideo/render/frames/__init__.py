"""Turn source frames into dreamt frames: tracking, planning, carrying, interpolation."""
