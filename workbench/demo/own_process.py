"""Processes that the page Share starts, kept in files of a folder that only this user can read."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil

from ..server.account import AccountError, private_folder

_TRIES = 50


class SharingError(RuntimeError):
    """The demo could not be started; the message says what to do."""


def folder() -> Path:
    """A folder of this user that nobody else can read."""
    try:
        return private_folder("share")
    except AccountError as error:
        raise SharingError(str(error)) from error


def read(name: str) -> dict[str, Any]:
    """The content of a JSON file of `folder`; empty if it is missing or damaged."""
    try:
        return json.loads((folder() / name).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def running(known: dict[str, Any], argument: str) -> psutil.Process | None:
    """The process whose number a file has under "pid", if it still is the same one.

    Args:
        known: content of the file.
        argument: one of its command that identifies it among other processes.
    """
    try:
        process = psutil.Process(known["pid"])
        for _ in range(_TRIES):
            command, status = process.cmdline(), process.status()
            if command or status == psutil.STATUS_ZOMBIE:
                break
            time.sleep(0.01)  # Linux tells the command of a process a moment after it has begun
    except (psutil.Error, KeyError):
        return None
    return process if argument in command and status != psutil.STATUS_ZOMBIE else None


def end(process: psutil.Process) -> None:
    """Ask a process to end, and after fifteen seconds end it."""
    process.terminate()
    try:
        process.wait(15)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(5)
