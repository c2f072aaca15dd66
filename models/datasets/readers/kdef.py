"""KDEF (Lundqvist, Flykt and Öhman 1998, "The Karolinska directed emotional faces"): 4 900 photographs of 70 people.

It is distributed as `AF01/AF01ANS.JPG`, 562×762 pixels: session (A, B), sex (F, M), number of the subject, expression
(AF AN DI HA NE SA SU), and angle (FL and FR full profile, HL and HR half profile, S straight). The face is cropped.

The dataset may not be redistributed: ask its authors for it.
"""

from __future__ import annotations

import re

from ..faceset import EMOTIONS
from .coded_names import reader_of

CODES = dict(zip(("AN", "DI", "AF", "HA", "NE", "SA", "SU"), EMOTIONS, strict=True))

_NAME = re.compile(r"[AB](?P<subject>[FM]\d\d)(?P<code>AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)", re.IGNORECASE)

READER = reader_of("kdef", "KDEF", "AF01ANS.JPG", _NAME, CODES, side=None)
