"""One process at a time trains in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.training.errors import TrainingError
from models.training.lock import is_locked, locked

ROOT = Path(__file__).resolve().parents[3]
HOLDS = """
import sys, time
from pathlib import Path
from models.training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_inside_and_may_be_nested(tmp_path):
    assert not is_locked(tmp_path)
    with locked(tmp_path), locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "nothing")


def test_another_process_is_refused_until_the_first_ends_however_it_ends(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        child.stdout.readline()
        assert is_locked(tmp_path)
        with pytest.raises(TrainingError, match=r"Another process trains in .* choose another --out"), locked(tmp_path):
            pass
        os.kill(child.pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        child.wait()
        assert not is_locked(tmp_path)
        with locked(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_training_holds_the_lock_of_its_folder(make_config, tmp_path, monkeypatch):
    from models.training import engine
    from models.training.run_folder import RunFolder

    seen = []
    write = RunFolder.write_epoch
    monkeypatch.setattr(
        RunFolder, "write_epoch", lambda folder, state: (seen.append(is_locked(folder.path)), write(folder, state))
    )
    engine.train(make_config(tmp_path / "run"))
    assert seen
    assert all(seen)
    assert not is_locked(tmp_path / "run")


def test_a_training_in_a_folder_that_another_uses_changes_nothing(make_config, tmp_path):
    from models.training import engine

    child = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / "run")], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        child.stdout.readline()
        with pytest.raises(TrainingError, match="Another process trains"):
            engine.train(make_config(tmp_path / "run"))
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["process.lock"]
    finally:
        child.kill()
        child.wait()
