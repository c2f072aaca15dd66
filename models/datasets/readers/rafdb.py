"""RAF-DB (Li, Deng and Du 2017, "Reliable crowdsourcing and deep locality-preserving learning"), the basic emotions.

Two layouts, both with aligned crops of 100×100 pixels and the authors' own split into train and test:

* folders `train/<1–7>/train_00001_aligned.jpg` and `test/<1–7>/…`;
* that of its authors: `Image/aligned/train_00001_aligned.jpg`, and `EmoLabel/list_patition_label.txt` with lines such
  as `train_00001.jpg 5`. `Image/original` holds the whole photographs; they are left out where the crops are there.

The dataset may not be redistributed: ask its authors for it.
"""

from __future__ import annotations

import re

from ..archives import Source
from ..class_names import NUMBERINGS, ClassMap
from ..faceset import EMOTIONS
from .folder import part_of_path
from .rows import Index, Reader, Row

LIST = "list_patition_label.txt"

_NAME = re.compile(r"(train|test)_(\d+)(_aligned)?", re.IGNORECASE)


def recognizes(source: Source) -> bool:
    """Whether there is the authors' list, or the folders with images are those of the numbers 1 to 7."""
    folders = {path.parent.name for path in source.images}
    return bool(source.named(LIST)) or folders == {str(code) for code in NUMBERINGS["rafdb"]}


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of all labeled images, crops before whole photographs, in the order of their names."""
    classes, codes, found = classes.numbered("rafdb"), _codes(source), Index([])
    numbers = ", ".join(f"{code} = {name}" for code, name in NUMBERINGS["rafdb"].items())
    found.notes.append(f"The numbers are taken for those of RAF-DB: {numbers}. Others: --classes '1=...,2=...'.")
    aligned = {_plain(path.stem) for path in source.images if path.stem.lower().endswith("_aligned")}
    for path in sorted(source.images, key=lambda path: (path.stem.lower(), path)):
        match, name = _NAME.fullmatch(path.stem), _plain(path.stem)
        label = classes.class_of(codes.get(name, path.parent.name))
        if label is None:
            found.left_out["without a label"].append(str(path))
        elif name in aligned and not path.stem.lower().endswith("_aligned"):
            found.left_out["whole photographs whose aligned crops are there"].append(str(path))
        else:
            part = match[1].lower() if match else part_of_path(path)
            found.rows.append(Row(label, name if match else str(path.with_suffix("")), path, part))
    return found


def _codes(source: Source) -> dict[str, str]:
    """The code of each image in the authors' list, by its name without suffix."""
    lines = [line.split() for p in source.named(LIST) for line in source.table(p).decode(errors="replace").splitlines()]
    return {_plain(line[0].rpartition(".")[0]): line[1] for line in lines if len(line) == 2}


def _plain(stem: str) -> str:
    return stem.lower().removesuffix("_aligned")


READER = Reader(
    "rafdb",
    "RAF-DB",
    f"It has folders 1 to 7 in train and test, or Image/aligned and EmoLabel/{LIST}.",
    recognizes,
    index,
    classes=EMOTIONS,
)
