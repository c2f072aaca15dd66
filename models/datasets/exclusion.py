"""Exclusion lists: images that a training run leaves out, such as those whose labels are likely wrong.

    {"reason": "labels that annotators disagree with", "images": ["0123456789abcdef", "Training-0123456789abcdef-0"]}

An image is named by the hash of its pixels, or by its id, which has that hash inside (`FaceSet.ids`). So a list still
holds after the dataset was imported again, and names every copy of an image. Only training images are left out: test
and validation set stay as they are, so that results remain comparable.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass as checked_dataclass

from ..files import write_json
from .faceset import DataError

LONGEST = 100_000
"""Largest number of images in a list."""

_LARGEST = 2**23  # bytes
_HASH = re.compile(r"(?:[^\x00-\x1f]{1,100}-)?([0-9a-f]{16})(?:-\d{1,9})?")
_REASON = r"^[\w .,:;+()/%=-]{0,200}$"
_SHAPE = '{"reason": "…", "images": ["0123456789abcdef", …]}'


@dataclass(frozen=True)
class ExclusionList:
    """Images to be left out of a training run.

    Attributes:
        reason: why, in a few words.
        hashes: hashes of their pixels, sixteen hex digits each (`FaceSet.pixel_hashes`), each once, in the order of the
            list.
    """

    reason: str
    hashes: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with the set of images, not with their order or the reason."""
        return hashlib.sha256("\n".join(sorted(self.hashes)).encode()).hexdigest()[:16]


@checked_dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Excluded:
    """What a list left out of a training run, as a card keeps it.

    Attributes:
        file: name of the list's file.
        fingerprint: fingerprint of the list, see `ExclusionList.fingerprint`.
        listed: number of images in the list; `left_out`, of training images that have their pixels.
        reason: reason given in the list.
    """

    file: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]*$")]
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    listed: Annotated[int, Field(ge=0, le=10**9)]
    left_out: Annotated[int, Field(ge=0, le=10**9)]
    reason: Annotated[str, StringConstraints(pattern=_REASON)] = ""

    @property
    def sentence(self) -> str:
        """What was left out, in words."""
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.left_out} training images were left out by the list {self.file}{why}, which has {self.listed}."


def hash_of(image: str) -> str:
    """The pixel hash in a hash or an id of an image; DataError where there is none."""
    if (match := _HASH.fullmatch(image)) is None:
        raise DataError(f'"{image[:60]}" is neither the hash nor the id of an image: write sixteen hex digits.')
    return match[1]


def exclusion_list(images: Iterable[str], reason: str = "") -> ExclusionList:
    """A list of images by hash or id, each once.

    Raises:
        DataError: one is neither, there are too many, or the reason has characters that a card cannot keep.
    """
    hashes = tuple(dict.fromkeys(map(hash_of, images)))
    if len(hashes) > LONGEST:
        raise DataError(f"{len(hashes)} images are more than a list may have: {LONGEST}.")
    if not re.fullmatch(_REASON, reason):
        raise DataError("The reason has more than 200 characters, or others than letters, digits and . , : ; + ( ) /.")
    return ExclusionList(reason, hashes)


def read_exclusion_list(path: Path) -> ExclusionList:
    """Read a list; DataError for a missing or invalid file."""
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path} is larger than {_LARGEST >> 20} MB: an exclusion list is JSON, {_SHAPE}")
        value = json.loads(path.read_bytes())
        images, reason = value["images"], value.get("reason", "")
        if not isinstance(images, list) or not all(isinstance(text, str) for text in (*images, reason)):
            raise TypeError("not texts")
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is not an exclusion list, which is JSON like {_SHAPE} ({error})") from error
    try:
        return exclusion_list(images, reason)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def write_exclusion_list(path: Path, images: ExclusionList) -> None:
    """Write a list as JSON, in one step."""
    write_json(path, {"reason": images.reason, "images": list(images.hashes)})
