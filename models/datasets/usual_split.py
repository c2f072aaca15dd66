"""Which split a dataset is divided by where none is given: that of its own names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..files import UNPACKING_ERRORS


def usual_split(path: Path) -> tuple[str, str]:
    """The split of an imported dataset for where none is given, and why, in a sentence; only names are read.

    "official" where there are FER2013's parts, "folders" where folders name parts, "subject-out" where every image
    says who is shown, else "random-80-20".
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = set(file["splits"].tolist())
            people = set(file["subjects"].tolist()) if "subjects" in file else {""}
    except (KeyError, *UNPACKING_ERRORS):  # whoever reads the dataset reports it
        return "official", ""
    if "Training" in parts:
        return "official", ""
    if "train" in parts and parts & {"validation", "test"}:
        missing = {"validation", "test"} - parts
        how = "they name all three parts"
        if missing:
            drawn = "a tenth of train is drawn for validation"
            how = drawn if "validation" in missing else "the validation images are the test set too, for want of others"
        return "folders", f"The dataset is split by its own folders: {how} (--split folders)."
    if "" not in people and len(people) >= 3:
        return "subject-out", "The dataset is split by subjects, nobody is in two parts (--split subject-out)."
    return "random-80-20", "The dataset names no parts: a fifth is drawn for the test (--split random-80-20)."
