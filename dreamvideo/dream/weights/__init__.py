"""The bundled network: data, notice of origin, converter."""
