"""The studio: a local page in the browser, in which to find a look and render it."""
