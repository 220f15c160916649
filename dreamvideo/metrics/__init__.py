"""Quality figures of films: flicker, sharpness, colour and the bands of dreamt detail."""
