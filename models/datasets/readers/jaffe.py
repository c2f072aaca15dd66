"""JAFFE (Lyons et al. 1998, "The Japanese female facial expression database"): 213 acted expressions of ten women.

It is distributed as `XX.EEn.nnn.tiff`, 256×256 pixels: subject, expression (AN DI FE HA NE SA SU) and its number,
running number; e.g. KA.AN1.39. The images are not cropped; hair is visible.

The dataset may not be redistributed: ask its authors for it.
"""

from __future__ import annotations

import re

from ..faceset import EMOTIONS
from .coded_names import reader_of

CODES = dict(zip(("AN", "DI", "FE", "HA", "NE", "SA", "SU"), EMOTIONS, strict=True))

_NAME = re.compile(r"(?P<subject>[A-Z]{2})\.(?P<code>AN|DI|FE|HA|NE|SA|SU)\d\.\d+", re.IGNORECASE)

READER = reader_of("jaffe", "JAFFE", "KA.AN1.39.tiff", _NAME, CODES, side=256)
