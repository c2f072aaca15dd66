"""The `ferscope` command: a table of commands, each of which lives beside the code that does its work."""

from __future__ import annotations

import importlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

import tyro

from .server import access, account

ADDRESS = "127.0.0.1"  # as in .streamlit/config.toml: this computer only
EVERY_ADDRESS = "0.0.0.0"

# Name: where its `main(argv)` lives, imported only when it is called (`ferscope --help` must not wait for torch).
COMMANDS = {
    "data": ("models.datasets.__main__", "bring a set of faces in, and see what is wrong with it"),
    "models": ("models.model_table", "list the networks, or show one in detail"),
    "train": ("models.train", "train a network"),
    "evaluate": ("models.evaluate", "measure a trained network on both test splits"),
    "explain": ("workbench.commands.explain", "write a page and a table of what a network answers to pictures"),
    "robustness": ("workbench.surveys.robustness", "measure how accuracy falls when pictures get worse"),
    "search": ("models.search", "train a small grid of settings, and rank them by validation accuracy"),
    "zoo": ("models.zoo", "train what the list of networks still lacks, within a time budget"),
    "jobs": ("workbench.jobs.__main__", "see, stop, resume and remove the trainings that the app started"),
    "refresh": (
        "workbench.commands.refresh",
        "renew what follows from the trained networks: temperatures, tables, curves",
    ),
    "demo": ("workbench.gradio_app", "start the public demo; --share makes a link for everybody in the room"),
    "app": (None, "start the workbench, for the browser of this computer"),
}


def usage() -> str:
    """The table of commands."""
    rows = (f"  {name:<11} {purpose}" for name, (_, purpose) in COMMANDS.items())
    return "\n".join(["usage: ferscope COMMAND ...", "", *rows, "", "ferscope COMMAND --help says more about one."])


def port_number(text: str) -> int:
    """The port that a text names; raises ValueError."""
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise ValueError(f'"{text}" is not a port: give a number from 1 to 65535.')
    return int(text)


def host_name(text: str) -> str:
    """A host name such as `fer.example.org`, or `*.example.org` for every name below it; raises ValueError."""
    if not re.fullmatch(r"(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?", text.lower()):
        raise ValueError(f'"{text}" is not a host name: give it without http:// and without a port.')
    return text.lower()


def parsed_by(parse: Callable[[str], Any], metavar: str) -> Any:
    """Annotation for tyro: an option whose text `parse` reads, or refuses with a ValueError."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda texts: parse(texts[0]),
        is_instance=lambda value: isinstance(value, str | int),
        str_from_instance=lambda value: [str(value)],
    )


Port = Annotated[int, parsed_by(port_number, "PORT")]
HostName = Annotated[str, parsed_by(host_name, "NAME")]


@dataclass(frozen=True)
class AppOptions:
    """Start the workbench; Ctrl-C ends it."""

    port: Port = 8501
    """port of the app"""
    lan: bool = False
    """for a classroom: every computer of the local network"""
    samples_only: bool = False
    """no camera and no upload: samples and drawn faces"""
    host_name: tyro.conf.UseAppendAction[tuple[HostName, ...]] = ()
    """another name by which browsers reach the app, such as that of a proxy; may be repeated"""


def port_is_free(port: int, host: str = ADDRESS) -> bool:
    """Whether a server could listen on this port of an address of this computer now; `host` is an IP address."""
    try:
        probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:  # this computer has no IPv6
        return False
    with probe:
        if os.name == "posix":  # a server that has just ended still holds its port for a minute, which is no hindrance
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def app(argv: list[str]) -> None:
    """Run `ferscope app`, from any folder, until Ctrl-C."""
    from models.paths import CODE, HOME, SHIPPED  # it looks for the user's home, which `main` provides

    config = (tyro.conf.FlagCreatePairsOff,)
    options = tyro.cli(AppOptions, prog="ferscope app", args=argv, config=config)
    port, address = options.port, EVERY_ADDRESS if options.lan else ADDRESS
    if not port_is_free(port, address):
        sys.exit(f"Port {port} is in use or not permitted: choose another with --port.")

    # Streamlit looks for .streamlit/config.toml in its working folder. In a session of its own the server does not get
    # the terminal's Ctrl-C, which it would answer with an error; we ask it to end instead.
    command = [sys.executable, "-m", "streamlit", "run", CODE / "workbench" / "app.py", f"--server.port={port}"]
    environment = {**os.environ, access.SAMPLES_ONLY: str(int(options.samples_only))}
    environment |= {access.HOST_NAMES: " ".join(options.host_name), "FERSCOPE_HOME": str(HOME)}
    allowed = [*options.host_name]
    if options.lan:
        token, hosts = access.new_token(), access.addresses()
        environment |= {access.LAN: "1", access.TOKEN: token}
        command += [f"--server.address={address}"]
        allowed = [*allowed, *hosts, *access.own_names()]
        print(_invitation(hosts and [*hosts, socket.gethostname()], port, token), flush=True)
    if allowed:
        command += [f"--server.allowedHosts={host}" for host in (ADDRESS, "localhost", "::1", *allowed)]
    server = subprocess.Popen(command, cwd=SHIPPED, env=environment, start_new_session=True)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: server.terminate())
    sys.exit(max(0, server.wait()))  # negative: ended by a signal, as asked


def _invitation(hosts: list[str], port: int, token: str) -> str:
    """What the teacher reads before the class comes."""
    places = "\n".join(f"    http://{host}:{port}" for host in hosts) or "    (this computer is in no network)"
    return (
        f"For the class, in the same network:\n{places}\n"
        f"Teacher's token: {token}\n"
        "Visitors look and explain; who enters the token on the page Share may also share. Their cameras stay off, "
        "because browsers ask for https: they can upload a photo, or use `ferscope demo --share`.\n"
        "On this computer itself:"
    )


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope COMMAND ...`; an unknown command ends with status 2 and the nearest name."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        account.ensure_home()
    except account.AccountError as error:
        sys.exit(str(error))
    if name in ("-h", "--help"):
        print(usage())
    elif name == "app":
        app(rest)
    elif name in COMMANDS:
        try:
            importlib.import_module(COMMANDS[name][0]).main(rest)
            sys.stdout.flush()
        except KeyboardInterrupt:  # of commands that have nothing more to say of what they reached
            print("Stopped.", file=sys.stderr)
            sys.exit(130)
        except BrokenPipeError:  # who reads, `head` or `less`, has seen enough; nothing more can be printed at the exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        (nearest,) = get_close_matches(name, COMMANDS, n=1, cutoff=0)
        print(f'ferscope has no command "{name}"; the nearest is "{nearest}".\n\n{usage()}', file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
