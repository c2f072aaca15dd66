"""Networks of a user: Python files that register them, and checkpoints that were added (`ferscope networks`).

A Python file is run only because the owner of this computer named it on the command line. `networks.json` in the user's
folder remembers it; nothing that a page or the demo receives is ever written there.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from threading import RLock
from types import MappingProxyType

from .files import write_json
from .paths import HOME
from .registry import networks_registered_by

STORE = HOME / "networks.json"
GROUP = "ferscope.networks"
"""Entry points of installed packages that register networks when they are imported."""


class OwnNetworkError(ValueError):
    """A network of a user that cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Remembered:
    """What `ferscope networks add` has added.

    Attributes:
        files: absolute paths of Python files.
        checkpoints: names of checkpoints.
    """

    files: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()


def remembered() -> Remembered:
    """What was added so far; OwnNetworkError where `networks.json` is damaged."""
    try:
        values = json.loads(STORE.read_text(encoding="utf-8"))
        found = Remembered(tuple(values["files"]), tuple(values["checkpoints"]))
        if not all(isinstance(text, str) for text in (*found.files, *found.checkpoints)):
            raise ValueError("it has values that are no texts")
        return found
    except FileNotFoundError:
        return Remembered()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OwnNetworkError(f"{STORE} is damaged ({error}). Delete it, and add your networks again.") from error


def remember(file: str = "", checkpoint: str = "") -> None:
    """Add a file or a checkpoint to `networks.json`."""
    known = remembered()
    files = dict.fromkeys((*known.files, *([file] if file else [])))
    checkpoints = dict.fromkeys((*known.checkpoints, *([checkpoint] if checkpoint else [])))
    _store(replace(known, files=tuple(files), checkpoints=tuple(checkpoints)))


def forget(file: str = "", checkpoint: str = "") -> None:
    """Remove a file or a checkpoint from `networks.json`; the file itself stays."""
    known = remembered()
    files = tuple(one for one in known.files if one != file)
    _store(Remembered(files, tuple(one for one in known.checkpoints if one != checkpoint)))


def _store(known: Remembered) -> None:
    STORE.parent.mkdir(parents=True, exist_ok=True)
    write_json(STORE, asdict(known))


_loading = RLock()
_loaded = False
_networks: dict[str, list[str]] = {}
_failed: dict[str, str] = {}


def load_all() -> None:
    """Register the networks of every remembered file and of installed packages, once; errors are in `failed()`."""
    global _loaded
    with _loading:
        if _loaded:
            return
        _loaded = True  # first: a file may look up the networks of the registry
        for point in entry_points(group=GROUP):
            package = _package(point)
            _try(f"{point.name} (package {package})", point.load, f"Correct it, or uninstall the package {package}.")
        try:
            files = remembered().files
        except OwnNetworkError as error:
            _failed[str(STORE)] = str(error)
            return
        for file in files:
            _try(file, partial(_run, Path(file)), f"Correct it, or remove it: ferscope networks rm {file}")


def failed() -> MappingProxyType[str, str]:
    """Files and packages that could not be loaded: what is wrong and what to do, by their names."""
    return MappingProxyType(_failed)


def networks_by_source() -> MappingProxyType[str, list[str]]:
    """Names of the networks that each file or package has registered."""
    return MappingProxyType(_networks)


def add_file(path: Path) -> list[str]:
    """Run a Python file and remember it; returns the names of the networks that it registers.

    Raises:
        OwnNetworkError: it is missing, raises an error, or registers no network.
    """
    path = path.absolute()
    load_all()
    if str(path) not in _networks:
        _try(str(path), partial(_run, path), "Correct it, and add it again.")
    if why := _failed.pop(str(path), ""):
        raise OwnNetworkError(why)
    if not _networks[str(path)]:
        del _networks[str(path)]
        raise OwnNetworkError(f"{path} registers no network: decorate a function in it with @register_model(NAME).")
    remember(file=str(path))
    return _networks[str(path)]


def _try(source: str, run: Callable[[], object], what_to_do: str) -> None:
    """Keep the names that a file registers, or what is wrong with it: one bad file must not close the others."""
    try:
        _networks[source] = networks_registered_by(run)
    except OwnNetworkError as error:
        _failed[source] = str(error)
    except (Exception, SystemExit) as error:
        _failed[source] = f"{source} could not be loaded ({type(error).__name__}: {error}). {what_to_do}"


def _run(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError("it is not there")
    name = f"ferscope_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise OwnNetworkError(f"{path} is not a Python file: give one whose name ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickling look for it
    spec.loader.exec_module(module)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
