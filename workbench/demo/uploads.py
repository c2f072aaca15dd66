"""Visitors' images in the memory of the demo's process, never in a file, so that they are gone when it ends.

To Gradio's clients an upload is a path on the server. Here that path refers to an image in memory: the gateway stores
and returns uploads, and replaces the path by a token before Gradio reads a request.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Scope

from models.images import format_of

from ..server.bodies import MAX_UPLOAD, RequestError, too_large
from ..server.bounded import BoundedStore, Limits

MIB = 1024**2
KEPT_SECONDS = 780  # checked every minute: deleted within a quarter of an hour
MAX_SENT = 25 * MIB
MAX_FILE = 5 * MIB  # of what is kept: a larger photo is scaled down when it arrives, see `scaling`
UPLOADS = Limits(total=64 * MIB, share=16 * MIB, seconds=KEPT_SECONDS)
RESULTS = Limits(total=32 * MIB, share=32 * MIB, seconds=KEPT_SECONDS)
FILE = "/gradio_api/file="
SCHEME = "upload:"  # prefix of the tokens that Gradio's components receive

NO_FILE = "This request could not be read: send one image as multipart/form-data."
GONE = "This image was deleted, because of its age or because many are in use. Choose it again."


@dataclass(frozen=True, eq=False)
class Upload:
    """A file in memory.

    Attributes:
        data: bytes of the file.
        visitor: the browser that uploaded it, the only one that may read it; None: anybody who knows its path.
        refusal: why it cannot be used, for a file that was not kept.
    """

    data: bytes
    visitor: str | None
    refusal: str = ""


class Uploads:
    """The uploads of all visitors, and the result images that API clients fetch.

    Args:
        folder: the folder of the paths; it contains only the demo's own files.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.uploads: BoundedStore[Upload] = BoundedStore(UPLOADS)
        self.results: BoundedStore[Upload] = BoundedStore(RESULTS)

    def add(self, data: bytes, name: str, visitor: str | None, owner: str, refusal: str = "") -> str:
        """Store an upload and return its path; it counts in the share of `owner`."""
        token = secrets.token_hex(16)
        self.uploads.put(token, Upload(data, visitor, refusal), owner, len(data) + len(refusal))
        return str(self.folder / token / _plain(name))

    def add_result(self, data: bytes, name: str) -> str:
        """Store a result image, which is fetched at once, and return its path."""
        token = secrets.token_hex(16)
        self.results.put(token, Upload(data, None), "results", len(data))
        return str(self.folder / token / _plain(name))

    def find(self, path: str, visitor: str | None) -> tuple[str, Upload] | None:
        """Token and upload of a path, in any spelling, if the visitor may read it."""
        token = self._token(path)
        found = token and (self.uploads.get(token) or self.results.get(token))
        if not found or (found.visitor is not None and found.visitor != visitor):
            return None
        return token, found

    def bytes_of(self, url: str) -> bytes:
        """The upload of a token; ValueError with a message for the visitor if it was deleted or cannot be used."""
        found = self.uploads.get(token := url.removeprefix(SCHEME)) or self.results.get(token)
        if found is None:
            raise ValueError(GONE)
        if found.refusal:
            raise ValueError(found.refusal)
        return found.data

    def is_own_file(self, path: str) -> bool:
        """Whether a path is that of a file of the demo itself, such as a sample image."""
        absolute = os.path.isabs(path) and "\0" not in path and ".." not in Path(path).parts
        return absolute and self.folder in Path(os.path.normpath(path)).parents and Path(path).is_file()

    def sweep(self) -> None:
        """Delete expired uploads."""
        self.uploads.sweep()
        self.results.sweep()

    def replaced(self, value: Any, visitor: str | None) -> Any:
        """A request's JSON with a token in place of each uploaded file.

        Raises:
            LookupError: it contains a file or an address that this visitor may not read.
        """
        if isinstance(value, list):
            return [self.replaced(inner, visitor) for inner in value]
        if not isinstance(value, dict):
            return value
        tokens = [self._token_for(named, visitor) for named in _files_in(value)]
        replaced = {key: self.replaced(inner, visitor) for key, inner in value.items()}
        if found := [token for token in tokens if token]:
            return {**replaced, "path": None, "url": SCHEME + found[0]}
        return replaced

    def _token_for(self, path: str, visitor: str | None) -> str | None:
        """The token of an upload; None for a file of the demo itself."""
        if found := self.find(path, visitor):
            return found[0]
        if self.is_own_file(path):
            return None
        raise LookupError(path)

    def _token(self, path: str) -> str | None:
        if not os.path.isabs(path) or ".." in Path(path).parts:
            return None
        parts = Path(os.path.normpath(path)).parts
        above = self.folder.parts
        return parts[len(above)] if parts[: len(above)] == above and len(parts) == len(above) + 2 else None


def _files_in(value: dict[str, Any]) -> Iterator[str]:
    """The file that an object of a request's JSON refers to, by its path or its address here."""
    if value.get("path") is not None:
        yield str(value["path"])
    url = value.get("url")
    if isinstance(url, str) and not url.startswith("data:"):
        yield unquote(url.partition(FILE)[2])


async def files_of(scope: Scope, body: bytes) -> list[tuple[str, bytes]]:
    """Name and bytes of each file in the body of an upload.

    Raises:
        RequestError: it is not multipart/form-data, has no file or more than four, or one larger than `MAX_SENT`.
    """

    async def stream():
        yield body

    parser = MultiPartParser(Headers(scope=scope), stream(), max_files=4, max_fields=4, max_part_size=4096)
    parser.spool_max_size = len(body) + 1  # in memory, never in a file
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError, LookupError) as error:
        raise RequestError(400, NO_FILE) from error
    files = [(f.filename or "file", await f.read()) for _, f in form.multi_items() if isinstance(f, UploadFile)]
    if not files:
        raise RequestError(400, NO_FILE)
    if any(len(data) > MAX_SENT for _, data in files):
        raise too_large(MAX_UPLOAD)
    return files


def media_type(data: bytes) -> str:
    """The media type of a file: an image type, or bytes."""
    format_ = format_of(data[:200])
    return format_.media_type if format_ else "application/octet-stream"


def _plain(name: str) -> str:
    """The last part of a file's name, in ASCII letters."""
    return re.sub(r"[^\w.-]", "_", re.split(r"[/\\]", name)[-1], flags=re.ASCII).strip(".")[-60:] or "file"
