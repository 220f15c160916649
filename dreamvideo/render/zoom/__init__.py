"""Endless zoom: the camera's motion replaces the flow, and every frame is dreamt from the last."""
