"""Parse untrusted JSON, and summarize pydantic's validation errors."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

parse_json = TypeAdapter(Any).validate_json
"""Any value from JSON; raises ValueError also where it is nested without end, which Python's own reader does not."""


def first_reason(error: ValidationError) -> str:
    """What pydantic found first, in a few words: where, and what is wrong there."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]
