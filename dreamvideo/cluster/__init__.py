"""A render on the workers of a Dask cluster."""
