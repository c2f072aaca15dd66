"""The origin of a request, for rate limits: a browser with our cookie, or the address of a client."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from .connections import LOOPBACK, network

COOKIE = "ferscope_visitor"


class Visitors:
    """Random names for browsers, signed so that no client can choose one; valid for the life of the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def issue(self) -> str:
        """A new name with its signature, for the cookie."""
        name = secrets.token_urlsafe(18)
        return f"{name}.{self._signature(name)}"

    def of(self, scope: Scope) -> str | None:
        """The name in a request's cookie; None for a program, at the first request, and for a name that is not ours."""
        cookie = cookie_parser(Headers(scope=scope).get("cookie", "")).get(COOKIE, "")
        name, _, signature = cookie.partition(".")
        return name if name and hmac.compare_digest(signature.encode(), self._signature(name).encode()) else None

    def _signature(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:32]


def address(scope: Scope) -> str:
    """The client's address, or its IPv6 network."""
    return network(scope["client"][0]) if scope.get("client") else ""


def stands_for_many(scope: Scope) -> bool:
    """Whether the address is that of this computer, from which a tunnel may forward many visitors."""
    return address(scope) in LOOPBACK


def is_address(name: str) -> bool:
    """Whether a host is named by its IP address."""
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
