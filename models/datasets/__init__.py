"""Sets of faces: `FaceSet` is what every reader returns and what training and evaluation take."""

from .faceset import EMOTIONS, DataError, FaceSet

__all__ = ["EMOTIONS", "DataError", "FaceSet"]
