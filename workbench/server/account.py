"""The account that runs FERScope: it may have no home and no name, as a user id of a container has not."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path


class AccountError(RuntimeError):
    """What the account may not do; the message is a sentence that says what to do instead."""


def user() -> str:
    """The user's name, or the number where the system knows no name for it."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return str(os.getuid())


def private_folder(name: str) -> Path:
    """A folder in the system's temporary one that only this user can read, made where it is missing.

    Raises:
        AccountError: it belongs to another user, others can read it, or it cannot be made.
    """
    folder = Path(tempfile.gettempdir()) / f"ferscope-{name}-{user()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.stat(follow_symlinks=False)
    except OSError as error:
        raise AccountError(f"{folder} cannot be made ({error.strerror}): set TMPDIR to a folder of yours.") from error
    if os.name == "posix" and (found.st_uid != os.getuid() or found.st_mode & 0o077):
        raise AccountError(f"{folder} belongs to another user: delete it, or set TMPDIR to a folder of yours.")
    return folder


def ensure_home() -> None:
    """Give this process a home and a user name where it has none; libraries fail without them."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(private_folder("home"))
    try:
        getpass.getuser()
    except (ImportError, KeyError, OSError):
        os.environ["LOGNAME"] = user()
