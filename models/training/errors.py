"""What a training that cannot start or go on raises."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """A training that cannot start or go on; the message says why and what to do."""
