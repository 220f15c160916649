"""Decode with OpenCV what it gets right: all bits of a PNG, wide samples of a TIFF."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def decode_by_opencv(data: bytes) -> NDArray[Any] | None:
    """Decode a picture at full depth: RGB, RGB and alpha, or grey; None if it is damaged."""
    # It prints warnings of its own.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if values is not None and values.ndim == 3 and values.shape[2] >= 3:
        return np.asarray(values[..., [2, 1, 0, 3][: values.shape[2]]])
    return None if values is None else np.asarray(values)
