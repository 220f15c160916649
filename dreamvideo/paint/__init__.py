"""Where it is dreamt, and in which colours: pure functions of pixels, without a network."""
