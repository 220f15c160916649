"""Quality metrics of films: flicker, sharpness, colour and frequency bands of the dream."""
