"""The bundled network: weights, notice of origin and converter."""
