"""CK+ (Lucey et al. 2010, "The extended Cohn-Kanade dataset"): sequences from a neutral to a posed expression.

Two layouts:

* `CK+48`: `<emotion>/S###_###_########.png` of 48×48 pixels: subject, sequence, frame;
* that of its authors: whole frames `cohn-kanade-images/S###/###/S###_###_########.png`, of which the face is cropped,
  and for 327 of the 593 sequences a code `Emotion/S###/###/S###_###_########_emotion.txt`.

Of each sequence the last three frames are taken, where the expression is strongest, as papers D and E do: 981 images,
in groups of three that are nearly identical. A split must therefore keep a subject on one side (`subject-out`). Seven
classes:
contempt, and no neutral.

The dataset may not be redistributed: ask its authors for it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath

from ..archives import Source
from ..class_names import NUMBERINGS, ClassMap
from ..faceset import CLASSES, DataError
from .rows import Index, Reader, Row

CKPLUS_CLASSES = tuple(name for name in CLASSES if name != "neutral")
LAST_FRAMES = 3

_NAME = re.compile(r"(S\d{3})_(\d{3})_(\d{8})", re.IGNORECASE)
_CODE = re.compile(r"(S\d{3})_(\d{3})_\d{8}_emotion", re.IGNORECASE)

_Sequence = tuple[str, str]  # subject, number


def recognizes(source: Source) -> bool:
    """Whether half of the images have names of CK+."""
    return bool(source.images) and 2 * sum(bool(_NAME.fullmatch(p.stem)) for p in source.images) >= len(source.images)


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of the last three frames of each labeled sequence; frames without a label are counted.

    Raises:
        DataError: a file of codes holds no code.
    """
    codes = _codes(source)
    sequences: dict[_Sequence, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    found = Index([])
    for path in source.images:
        match = _NAME.fullmatch(path.stem)
        sequence = (match[1].upper(), match[2]) if match else ("", "")
        label = codes.get(sequence, "") if codes else classes.class_of(path.parent.name)
        if match and label in CKPLUS_CLASSES:
            sequences[sequence][match[3]].append(Row(label, path.stem.upper(), path, subject=sequence[0]))
        else:
            why = "without a label of its sequence" if match and codes else "name or folder not of CK+"
            found.left_out[f"{why}, where neutral is no class"].append(str(path))
    for _, frames in sorted(sequences.items()):
        found.rows += [row for frame in sorted(frames)[-LAST_FRAMES:] for row in frames[frame]]
    return found


def _codes(source: Source) -> dict[_Sequence, str]:
    """The class of each sequence that has a code, from the authors' files of one number each."""
    paths = {path: match for path in source.tables if (match := _CODE.fullmatch(path.stem))}
    return {(m[1].upper(), m[2]): _class(path, content) for path, content in source.read(paths) for m in [paths[path]]}


def _class(path: PurePosixPath, content: bytes) -> str:
    try:
        return NUMBERINGS["ckplus"][int(float(content))]
    except (ValueError, OverflowError, KeyError) as error:
        raise DataError(f"{path} holds no code of an emotion, 0 to 7: get CK+ again from its authors.") from error


READER = Reader(
    "ckplus",
    "CK+",
    "It has <emotion>/S###_###_########.png, or cohn-kanade-images and Emotion as its authors give it.",
    recognizes,
    index,
    classes=CKPLUS_CLASSES,
)
