"""KDEF (Lundqvist, Flykt and Öhman 1998, "The Karolinska directed emotional faces"): 4 900 photographs of 70 people.

It is distributed as `AF01/AF01ANS.JPG`, 562×762 pixels: session (A, B), sex (F, M), number of the subject, expression
(AF AN DI HA NE SA SU), and angle (FL and FR full profile, HL and HR half profile, S straight). The face is cropped.

The set may not be passed on: ask its authors for it.
"""

from __future__ import annotations

import re

from ..archives import Source
from ..class_names import ClassMap
from ..faceset import EMOTIONS
from .rows import Index, Reader, Row

CODES = dict(zip(("AN", "DI", "AF", "HA", "NE", "SA", "SU"), EMOTIONS, strict=True))

_NAME = re.compile(r"[AB]([FM]\d\d)(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)", re.IGNORECASE)


def recognizes(source: Source) -> bool:
    """Whether half of the images have names of KDEF."""
    return bool(source.images) and 2 * sum(bool(_NAME.fullmatch(p.stem)) for p in source.images) >= len(source.images)


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of every image whose name is one of KDEF's, with the subjects, in the order of their names."""
    found = Index([])
    for path in sorted(source.images, key=lambda path: path.stem.upper()):
        if match := _NAME.fullmatch(path.stem):
            found.rows.append(Row(CODES[match[2].upper()], path.stem.upper(), path, subject=match[1].upper()))
        else:
            found.left_out["names not of KDEF"].append(str(path))
    return found


READER = Reader("kdef", "KDEF", "It has names such as AF01ANS.JPG.", recognizes, index, classes=EMOTIONS)
