"""`ferscope jobs`, or `python -m workbench.jobs`: manage the training runs that the page Train started."""

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
    """List all jobs, newest first, and start the next queued one if a device is free."""
    table = Table(Column("id", no_wrap=True), "state", "epochs", "title", **_PLAIN)
    for job in (found := runner.advance()):
        text = job.message if job.state == "broken" else job.title
        table.add_row(job.id, job.state, f"{len(store.history(job))}/{job.epochs}", escape(text))
    none = store.trouble() or f"There are no jobs in {store.ROOT}. Start one on the page Train."
    Console().print(table if found else none)


@app.command(name="show")
def show(id_: Id, /) -> None:
    """Show one job: its state, its last epochs and the end of its log.

    Args:
        id_: id of the job, see `ferscope jobs list`.
    """
    runner.advance()
    job = store.read(id_)
    _print_job(job)
    if rows := store.history(job)[-10:]:
        table = Table(*(name.replace("_", " ") for name in _COLUMNS), **_PLAIN)
        for row in rows:
            table.add_row(*(f"{row[name]:.4g}" if name in row else "" for name in _COLUMNS))
        Console().print(table)
    print(f"{job.folder}\n{store.log_tail(job, 20)}".rstrip())


@app.command(name="stop")
def stop(id_: Id, /) -> None:
    """Stop a job; its best epoch so far is kept.

    Args:
        id_: id of the job, see `ferscope jobs list`.
    """
    _print_job(runner.stop(id_))


@app.command(name="resume")
def resume(id_: Id, /) -> None:
    """Resume a stopped job after its last complete epoch.

    Args:
        id_: id of the job, see `ferscope jobs list`.
    """
    _print_job(runner.resume(id_))


@app.command(name="rm")
def remove(id_: Id, /) -> None:
    """Delete a job that is not running, with all its files.

    Args:
        id_: id of the job, see `ferscope jobs list`.
    """
    runner.remove(id_)
    print(f"Removed {id_}.")


@app.command(name="promote")
def promote(id_: Id, /) -> None:
    """Copy the checkpoint of a finished job to checkpoints/, so that every list of networks offers it.

    Args:
        id_: id of the job, see `ferscope jobs list`.
    """
    name = transfer.promote(id_)
    print(f"Copied to the checkpoint {name}. {read_card(name).caveat}".rstrip())


@app.command(name="export")
def export(id_: Id, /, out: Path | None = None) -> None:
    """Export the checkpoint of a finished job as a zip file for another FERScope.

    Args:
        id_: id of the job, see `ferscope jobs list`.
        out: the zip file; by default ferscope-<network>-<letters>.zip in this folder. An existing file is never
            overwritten.
    """
    path = out or Path(transfer.export_name(store.read(id_)))
    if path.exists():
        raise JobError(f"{path} already exists: give another name with --out.")
    write_bytes(path, transfer.export(id_))
    print(f"Wrote {path}. Import it on another computer with: ferscope jobs import {path.name}")


@app.command(name="import")
def import_zip(file: Annotated[Path, tyro.conf.Positional], /) -> None:
    """Import a zip file from another FERScope.

    Args:
        file: written by `ferscope jobs export`.
    """
    if not file.is_file():
        raise JobError(f"{file} does not exist: give the path of a zip file.")
    with file.open("rb") as stream:
        job = transfer.import_zip(stream.read(limits.LIMITS.zip_bytes + 1))
    _print_job(job)
    if caveat := read_card(job.folder).caveat:
        print(caveat)


def _print_job(job: Job) -> None:
    when = time.strftime("%d %B %Y, %H:%M", time.localtime(job.created))
    print(f"{job.id}: {job.state}. {job.title}; {job.network}, {job.epochs} epochs, created on {when}. {job.message}")


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope jobs ...`; on an error, print one sentence and exit with status 1."""
    try:
        app.cli(prog="ferscope jobs", description=__doc__, args=sys.argv[1:] if argv is None else argv)
    except (JobError, CheckpointError, DiskFullError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
