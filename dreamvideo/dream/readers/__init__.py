"""Readers of networks' files: one a format, none runs what is in a file.

``graphdef`` and ``caffe`` read Protocol Buffers, ``saved_model`` folders of these with a
checkpoint, ``pth`` and ``safetensors`` named arrays; each ends in a ``graph.Graph``, the layers of
a network, whose arithmetic is in ``operations``. Whatever a file says of its sizes is compared with
what the file holds before memory is taken; damage is a ValueError.
"""
