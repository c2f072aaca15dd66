"""How a command parses its options and reports its errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import tyro

from .files import DiskFullError


def run_command(command: Callable[..., object], prog: str, argv: Sequence[str] | None, stopped: str) -> None:
    """Parse the command line and call a command; end with status 1 and one sentence where it cannot, 130 after Ctrl-C.

    Args:
        command: its parameters are the options.
        prog: name of the command in the help.
        argv: arguments; None: those of the process.
        stopped: what to print after Ctrl-C.
    """
    try:
        tyro.cli(command, prog=prog, args=argv)
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        sys.exit(130)
    except (DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))
