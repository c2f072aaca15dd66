"""What becomes of a job's checkpoint: into `checkpoints/`, out as a zip, in from the zip of another FERScope.

A zip from elsewhere is nothing to trust: only files of known names, bounded in number and size, declared and counted;
no pickle; card, weights and tables are read and verified before a job is made of them, and written anew.
"""

from __future__ import annotations

from .store import Job

FILES = ("card.json", "config.json", "model.safetensors", "history.csv", "predictions.npz")
"""What a parcel may hold; the first three it must."""


def promote(id_: str) -> str:
    """Copy card, weights, history and predictions to `checkpoints/<name>/`, where every picker finds them.

    Returns:
        The name, made by us: network, day and the last letters of the id. Promoting again gives the same name and
        changes nothing; another checkpoint is never overwritten.

    Raises:
        JobError: no such job, no checkpoint yet, still running, or trained on people's own pictures.
        DiskFullError: no room; nothing is left of the copy.
    """
    raise NotImplementedError


def export(id_: str) -> bytes:
    """A zip of `FILES` for another FERScope; paths of this computer are taken out of its config.

    Raises:
        JobError: as `promote`.
    """
    raise NotImplementedError


def export_name(job: Job) -> str:
    """The name under which a browser saves the zip, e.g. "ferscope-residual_cnn-3fa9.zip"."""
    raise NotImplementedError


def import_zip(data: bytes) -> Job:
    """Take in a zip that `export` made: a job in the state "done", which can be looked at, promoted and removed.

    Raises:
        JobError: not such a zip: other files, climbing paths, too many or too large, damaged, weights that do not fit
            the card, a network that this FERScope does not know; or past a limit.
        DiskFullError: no room; nothing is left of it.
    """
    raise NotImplementedError
