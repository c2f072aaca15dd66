"""Every chart and every picture on a page, in one visual language: colours, text size, words for numbers."""

from .frame import EMOTION_COLOURS, class_colours, show
from .pictures import clear_to_bright, face, face_with_map, signed, strength
from .plots import curves, probabilities, singular_values, spectra
from .words import interval, memory, percent, terms
