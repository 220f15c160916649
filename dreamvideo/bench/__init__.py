"""The bench: our step and film beside other frameworks', in one run, on the user's machine."""
