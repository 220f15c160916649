"""Motion between frames: flow, confidence, warps, cuts and cameras."""
