"""The account that runs FERScope: in a container it may have neither a home folder nor a name."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path


class AccountError(RuntimeError):
    """An operation that the account may not perform; the message says what to do instead."""


def user() -> str:
    """The user's name, or the user id if it has no name."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return str(os.getuid())


def private_folder(name: str) -> Path:
    """A folder in the system's temporary folder that only this user can read, created if it is missing.

    Raises:
        AccountError: it belongs to another user, others can read it, or it cannot be created.
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
    """Set a home folder and a user name if this process has none; libraries fail without them."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(private_folder("home"))
    try:
        getpass.getuser()
    except (ImportError, KeyError, OSError):
        os.environ["LOGNAME"] = user()
