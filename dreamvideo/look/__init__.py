"""Looking at what was rendered: measures, sheets, reports."""
