"""Source frames to dreamt frames: tracking, planning, carrying, interpolating."""
