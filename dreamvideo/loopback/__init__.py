"""Serve an application to this machine only: on loopback, guarded by a token, until Ctrl-C."""
