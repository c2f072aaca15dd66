"""Permissions of visitors when the app is served to the local network (`ferscope app --lan`).

The command passes its options to the app in environment variables; without them the app serves this computer only, and
its user has the rights of the teacher.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket

import psutil

LAN = "FERSCOPE_LAN"
TOKEN = "FERSCOPE_TOKEN"
HOST_NAMES = "FERSCOPE_HOST_NAMES"
SAMPLES_ONLY = "FERSCOPE_SAMPLES_ONLY"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike on a projector


def on_the_network() -> bool:
    """Whether the app is served to other computers of the local network."""
    return os.environ.get(LAN) == "1"


def samples_only() -> bool:
    """Whether camera and upload are disabled."""
    return os.environ.get(SAMPLES_ONLY) == "1"


def new_token() -> str:
    """A token for the teacher: three groups of four letters and digits, 59 bits of entropy."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))


def is_token(text: str) -> bool:
    """Whether `text` is the teacher's token, compared in constant time; False if there is none."""
    token = os.environ.get(TOKEN, "")
    return bool(token) and hmac.compare_digest(text.strip().lower().encode(), token.encode())


def is_host_name(name: str) -> bool:
    """Whether the app was started with `--host-name` for this name; `*.example.org` stands for every name below it."""
    name = name.lower().rstrip(".")
    for known in os.environ.get(HOST_NAMES, "").lower().split():
        if name == known or (known.startswith("*.") and name.endswith(known[1:])):
            return True
    return False


def has_host_names() -> bool:
    """Whether the app was started for host names, as behind a proxy, whose visitors seem to be on this computer."""
    return bool(os.environ.get(HOST_NAMES, "").strip())


def own_names() -> list[str]:
    """Possible host names of this computer in the local network; no request is sent."""
    name = socket.gethostname().lower().rstrip(".")
    short = name.partition(".")[0]
    return sorted({name, short, f"{short}.local"}) if short else []


def addresses() -> list[str]:
    """IPv4 addresses of this computer in its networks, without the loopback one."""
    found = {
        address.address
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    }
    return sorted(found)
