"""The benchmark: this package's gradient step and film, compared with other implementations."""
