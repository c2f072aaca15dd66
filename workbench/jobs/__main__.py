"""`ferscope jobs`, or `python -m workbench.jobs`: the trainings that the page Train started, from a terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from models.checkpoints import CheckpointError, read_card
from models.files import DiskFullError, write_bytes

from . import limits, runner, store, transfer
from .store import Job, JobError

Id = Annotated[str, tyro.conf.Positional]
_PLAIN = {"box": SIMPLE_HEAD, "show_edge": False, "padding": (0, 1, 0, 0)}
_COLUMNS = ("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds")
app = tyro.extras.SubcommandApp()


@app.command(name="list")
def list_jobs() -> None:
    """Every job, the newest first; starts the next one that waits, where there is room."""
    table = Table(Column("id", no_wrap=True), "state", "epochs", "title", **_PLAIN)
    for job in (found := runner.advance()):
        told = job.message if job.state == "broken" else job.title
        table.add_row(job.id, job.state, f"{len(store.history(job))}/{job.epochs}", escape(told))
    none = store.trouble() or f"There are no jobs in {store.ROOT}. The page Train starts them."
    Console().print(table if found else none)


@app.command(name="show")
def show(id_: Id, /) -> None:
    """One job: what it says, its last epochs, the end of its log.

    Args:
        id_: as `list` shows it.
    """
    runner.advance()
    job = store.read(id_)
    _say(job)
    if rows := store.history(job)[-10:]:
        table = Table(*(name.replace("_", " ") for name in _COLUMNS), **_PLAIN)
        for row in rows:
            table.add_row(*(f"{row[name]:.4g}" if name in row else "" for name in _COLUMNS))
        Console().print(table)
    print(f"{job.folder}\n{store.log_tail(job, 20)}".rstrip())


@app.command(name="stop")
def stop(id_: Id, /) -> None:
    """Let a job end; its best epoch so far stays.

    Args:
        id_: as `list` shows it.
    """
    _say(runner.stop(id_))


@app.command(name="resume")
def resume(id_: Id, /) -> None:
    """Let an ended job go on after its last whole epoch.

    Args:
        id_: as `list` shows it.
    """
    _say(runner.resume(id_))


@app.command(name="rm")
def remove(id_: Id, /) -> None:
    """Delete an ended job with all that it left.

    Args:
        id_: as `list` shows it.
    """
    runner.remove(id_)
    print(f"{id_} is removed.")


@app.command(name="promote")
def promote(id_: Id, /) -> None:
    """Copy the checkpoint of an ended job to checkpoints/, where every picker finds it.

    Args:
        id_: as `list` shows it.
    """
    name = transfer.promote(id_)
    print(f"It is the checkpoint {name} now. {read_card(name).caveat}".rstrip())


@app.command(name="export")
def export(id_: Id, /, out: Path | None = None) -> None:
    """Write the checkpoint of an ended job into a zip for another FERScope.

    Args:
        id_: as `list` shows it.
        out: the zip; by default ferscope-<network>-<letters>.zip in this folder. An earlier one stays.
    """
    path = out or Path(transfer.export_name(store.read(id_)))
    if path.exists():
        raise JobError(f"{path} is there already: give another name with --out.")
    write_bytes(path, transfer.export(id_))
    print(f"{path} is written; `ferscope jobs import {path.name}` takes it in elsewhere.")


@app.command(name="import")
def import_zip(file: Annotated[Path, tyro.conf.Positional], /) -> None:
    """Take in the zip of another FERScope.

    Args:
        file: what `export` wrote.
    """
    if not file.is_file():
        raise JobError(f"There is no file {file}.")
    with file.open("rb") as stream:
        job = transfer.import_zip(stream.read(limits.LIMITS.parcel_bytes + 1))
    _say(job)
    if caveat := read_card(job.folder).caveat:
        print(caveat)


def _say(job: Job) -> None:
    when = time.strftime("%d %B %Y, %H:%M", time.localtime(job.created))
    print(f"{job.id}: {job.state}. {job.title}; {job.network}, {job.epochs} epochs, asked for on {when}. {job.message}")


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope jobs ...`; ends with status 1 and one sentence where it cannot."""
    try:
        app.cli(prog="ferscope jobs", description=__doc__, args=sys.argv[1:] if argv is None else argv)
    except (JobError, CheckpointError, DiskFullError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
