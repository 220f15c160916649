"""The endless zoom: a camera's move for the flow, every frame dreamt from the one before."""
