"""Decode images safely, detect faces, and crop them with the framing of FER2013.

`find` returns the cropped faces of an image, in one call. Its steps: `read` takes a path, bytes, an array or a PIL
image, and `decode` the bytes of an untrusted file; `detect` returns all detected faces, `crop` cuts out a square and
rotates it upright, and `Face.gray` is the input of a network. Nothing here needs a network connection, Streamlit or
torch; drawn samples are made by `models.datasets.synthetic.faces` on request.
"""

from workbench.decoders.errors import PictureError
from workbench.faces.boxes import Box, whole
from workbench.faces.cascade import cascade_squares
from workbench.faces.cropped import detect_or_whole
from workbench.faces.cropping import MAX_FACE_SIDE, Face, crop
from workbench.faces.decoding import MAX_BYTES, MAX_PIXELS, MIN_SIDE, decode, notes, read, reduced_by
from workbench.faces.detection import detect
from workbench.faces.finding import find
from workbench.faces.sample_faces import Sample, load_sample, sample_picture, samples

__all__ = [
    "MAX_BYTES",
    "MAX_FACE_SIDE",
    "MAX_PIXELS",
    "MIN_SIDE",
    "Box",
    "Face",
    "PictureError",
    "Sample",
    "cascade_squares",
    "crop",
    "decode",
    "detect",
    "detect_or_whole",
    "find",
    "load_sample",
    "notes",
    "read",
    "reduced_by",
    "sample_picture",
    "samples",
    "whole",
]
