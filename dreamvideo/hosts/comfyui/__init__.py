"""Nodes for ComfyUI: link or copy this folder into its ``custom_nodes``.

ComfyUI loads the folder by its path, so it must find the package ``dreamvideo`` among those that
are installed for the Python that it runs on.
"""

from __future__ import annotations

try:
    from dreamvideo.hosts.comfyui.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "dreamvideo":
        raise
    raise ImportError(
        "the dreamvideo nodes need the package dreamvideo: install it with the Python that ComfyUI "
        "runs on (python -m pip install PATH-OF-THE-CLONE)"
    ) from None

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
