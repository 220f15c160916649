"""Readers of networks' files: one a format, none runs what is in a file.

``graphdef`` and ``caffe`` read Protocol Buffers, ``pth`` and ``safetensors`` named arrays; each
ends in a ``graph.Graph``, the layers and the arithmetic of a network. Whatever a file says of its
sizes is compared with what the file holds before memory is taken; damage is a ValueError.
"""
