"""Where every pixel came from: flow, confidence, warps, cuts, cameras."""
