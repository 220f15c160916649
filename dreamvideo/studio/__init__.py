"""The studio: a page in the browser, on this machine alone, to find a look and render it."""
