"""What a folder, a code or a word of a dataset means: a class, or a part of the set (train, validation, test)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..text import PLAIN_WORDS
from .faceset import CLASSES, DataError

SYNONYMS = {
    "angry": ("angry", "anger", "an", "ang", "rage"),
    "disgust": ("disgust", "disgusted", "di", "dis"),
    "fear": ("fear", "fearful", "afraid", "scared", "fe", "fea"),
    "happy": ("happy", "happiness", "ha", "hap", "joy", "joyful", "smile"),
    "neutral": ("neutral", "neutrality", "ne", "neu", "calm", "normal"),
    "sad": ("sad", "sadness", "sa", "unhappy"),
    "surprise": ("surprise", "surprised", "su", "sur"),
    "contempt": ("contempt", "contemptuous", "co", "con"),
}
"""What a folder of each class may be called, in small letters, with or without a number before it."""

PARTS = {
    "train": ("train", "training", "train_set"),
    "validation": ("val", "valid", "validation", "dev", "val_set"),
    "test": ("test", "testing", "test_set"),
}
"""What a folder of each part may be called."""

NUMBERINGS = {
    "fer2013": dict(enumerate(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"))),
    "affectnet": dict(enumerate(("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"))),
    "rafdb": dict(enumerate(("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"), 1)),
    "ckplus": dict(enumerate(("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"))),
    "expw": dict(enumerate(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))),
}
"""The numbers by which datasets call the classes. FER2013 itself has no contempt; `ckextended.csv` adds it as 7."""

_CLASS_OF = {word: name for name, words in SYNONYMS.items() for word in words}
_PART_OF = {word: name for name, words in PARTS.items() for word in words}


def class_of(name: str) -> str | None:
    """The class that a name means, as that of a folder; None for one that means none."""
    return _CLASS_OF.get(name.lower().strip("0123456789_-. "))


def part_of(name: str) -> str | None:
    """The part of a set that a name means: "train", "validation" or "test"; None for one that means none."""
    return _PART_OF.get(name.lower().strip())


@dataclass(frozen=True)
class ClassMap:
    """The classes of a set's labels: those that a user has mapped, then the numbers of the set, then synonyms.

    Attributes:
        given: label in small letters → class; an empty class leaves its images out.
        numbers: code → class.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[int, str] = field(default_factory=dict)

    def class_of(self, label: str) -> str | None:
        """The class of a label such as "Happiness", "3" or "3.0"; None where it means none or is to be left out."""
        text = _plain(label)
        if text in self.given:
            return self.given[text] or None
        if text.isdecimal():
            return self.numbers.get(int(text))
        return class_of(text)

    def knows(self, label: str) -> bool:
        """Whether the user has mapped a label, also to nothing."""
        return _plain(label) in self.given

    def numbered(self, kind: str) -> ClassMap:
        """The same with the numbers of a dataset."""
        return ClassMap(self.given, NUMBERINGS[kind])


def _plain(label: str) -> str:
    """ "Happiness " → "happiness"; "3.0" and "3.0000000e+00" → "3"."""
    text = label.strip().lower()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text


def parse_classes(text: str) -> ClassMap:
    """Read a mapping of labels to classes.

    Args:
        text: "1=surprise,2=fear"; a name of NUMBERINGS; or the path of a file: JSON, or lines such as `1=surprise` or
            `1,surprise`. A class that means an emotion by a synonym becomes that; any other plain words are a class
            of one's own; nothing after the sign leaves the images out.

    Raises:
        DataError: it is none of these.
    """
    if not text:
        return ClassMap()
    if text in NUMBERINGS:
        return ClassMap({str(code): name for code, name in NUMBERINGS[text].items()})
    path = Path(text)
    pairs = _pairs_of_file(path) if "=" not in text and path.is_file() else _pairs(text.split(","), text)
    return ClassMap({_plain(label): _class(name.strip()) for label, name in pairs})


def _pairs_of_file(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").strip()
        if lines.startswith("{"):
            return [(str(label), str(name)) for label, name in json.loads(lines).items()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a mapping of classes ({error}).") from error
    return _pairs(lines.splitlines(), str(path))


def _pairs(items: Iterable[str], source: str) -> list[tuple[str, str]]:
    pairs = []
    for item in filter(str.strip, items):
        label, sign, name = item.partition("=")
        if not sign:
            label, *names = next(csv.reader([item], delimiter=";" if ";" in item else ","))
            if len(names) != 1:
                raise DataError(
                    f'"{item}" of the classes {source} is not label=class: write 1=surprise,2=fear, a file with one '
                    f"such line each, or one of {', '.join(NUMBERINGS)}."
                )
            name = names[0]
        pairs.append((label, name))
    return pairs


def _class(name: str) -> str:
    if name and not PLAIN_WORDS.fullmatch(name):
        raise DataError(f'"{name}" cannot be the name of a class: use letters, digits and spaces, at most 60.')
    return class_of(name) or name


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes, each once: the emotions in the project's order, then others in alphabetical order."""
    found = set(names)
    return (*(name for name in CLASSES if name in found), *sorted(found - set(CLASSES)))
