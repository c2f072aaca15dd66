"""The `ferscope` command: a table of commands, each implemented beside the code that it runs."""

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

# Name: module of its `main(argv)`, imported when it is called (`ferscope --help` must not import torch), and purpose.
COMMANDS = {
    "data": ("workbench.commands.data", "import, audit, preview and draw datasets"),
    "models": ("models.model_table", "list networks, or show one in detail"),
    "networks": ("workbench.commands.networks", "add, list and remove networks of your own"),
    "train": ("models.train", "train a network"),
    "evaluate": ("models.evaluate", "evaluate a trained network on validation and test set"),
    "explain": ("workbench.commands.explain", "explain images: a report and a table of predictions"),
    "export": (
        "workbench.commands.export",
        "export a trained network to ONNX, TorchScript, the Hub, timm or a web page",
    ),
    "robustness": ("workbench.surveys.robustness", "measure accuracy under perturbations"),
    "search": ("models.search", "grid search over training settings, ranked by validation accuracy"),
    "zoo": ("models.zoo", "train the networks of the list that are missing, within a time budget"),
    "jobs": ("workbench.jobs.__main__", "list, stop, resume, remove, export and import training runs of the app"),
    "refresh": (
        "workbench.commands.refresh",
        "update what is computed from trained networks: temperatures, tables, curves",
    ),
    "demo": ("workbench.gradio_app", "start the public demo; --share creates a public link"),
    "app": (None, "start the workbench in a browser on this computer"),
}


def usage() -> str:
    """The text of `ferscope --help`."""
    rows = (f"  {name:<11} {purpose}" for name, (_, purpose) in COMMANDS.items())
    end = "Run ferscope COMMAND --help for the options of a command."
    return "\n".join(["usage: ferscope COMMAND ...", "", *rows, "", end])


def port_number(text: str) -> int:
    """Parse a port number; ValueError if it is not one."""
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise ValueError(f'"{text}" is not a port: give a number from 1 to 65535.')
    return int(text)


def host_name(text: str) -> str:
    """Parse a host name such as `fer.example.org`, or `*.example.org` for all its subdomains; ValueError otherwise."""
    if not re.fullmatch(r"(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?", text.lower()):
        raise ValueError(f'"{text}" is not a host name: give one without http:// and without a port.')
    return text.lower()


def parsed_by(parse: Callable[[str], Any], metavar: str) -> Any:
    """Annotation for tyro: an option that `parse` converts, or rejects with a ValueError."""
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
    """Start the workbench; stop it with Ctrl-C."""

    port: Port = 8501
    """port of the app"""
    lan: bool = False
    """serve all computers of the local network, for a classroom"""
    samples_only: bool = False
    """offer samples and drawn faces only, no camera and no upload"""
    host_name: tyro.conf.UseAppendAction[tuple[HostName, ...]] = ()
    """another host name of the app, such as that of a proxy; may be repeated"""


def port_is_free(port: int, host: str = ADDRESS) -> bool:
    """Whether a server could listen on this port now; `host` is an IP address of this computer."""
    try:
        probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:  # this computer has no IPv6
        return False
    with probe:
        if os.name == "posix":  # ports of servers that have just ended may be reused
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def app(argv: list[str]) -> None:
    """Run `ferscope app` until Ctrl-C; the working folder does not matter."""
    from models.paths import CODE, HOME, SHIPPED  # they need the user's home folder, which `main` ensures

    config = (tyro.conf.FlagCreatePairsOff,)
    options = tyro.cli(AppOptions, prog="ferscope app", args=argv, config=config)
    port, address = options.port, EVERY_ADDRESS if options.lan else ADDRESS
    if not port_is_free(port, address):
        sys.exit(f"Port {port} is in use or not permitted: choose another with --port.")

    # Streamlit looks for .streamlit/config.toml in its working folder. In its own session the server does not get the
    # terminal's Ctrl-C, on which it would print an error; we terminate it instead.
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
    sys.exit(max(0, server.wait()))  # negative: ended by our signal


def _invitation(hosts: list[str], port: int, token: str) -> str:
    """The addresses and the token, for the teacher."""
    urls = "\n".join(f"    http://{host}:{port}" for host in hosts) or "    (this computer has no network)"
    return (
        f"Addresses for the class, in the same network:\n{urls}\n"
        f"Teacher's token: {token}\n"
        "Visitors can explain faces; the token, entered on the page Share, also allows sharing. Browsers allow the "
        "camera only over https: visitors can upload a photo, or use the link of `ferscope demo --share`.\n"
        "On this computer:"
    )


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope COMMAND ...`; for an unknown command, print the nearest name and exit with status 2."""
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
        except KeyboardInterrupt:  # commands with a message of their own catch it themselves
            print("Stopped.", file=sys.stderr)
            sys.exit(130)
        except (BrokenPipeError, SystemExit) as end:
            if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
                raise
            # The reader, such as `head`, has closed the pipe; to a command that is an error of the system like others.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        (nearest,) = get_close_matches(name, COMMANDS, n=1, cutoff=0)
        print(f'ferscope has no command "{name}"; did you mean "{nearest}"?\n\n{usage()}', file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
