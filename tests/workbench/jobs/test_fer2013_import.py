"""The import of FER2013 for the app: a process whose progress is followed, and which can be cancelled."""

import sys
import time
from pathlib import Path

import pytest

from models.datasets import DataError, FaceSet, fer2013
from workbench.jobs import fer2013_import, fer2013_process
from workbench.jobs.store import JobError


@pytest.fixture(autouse=True)
def none_running():
    yield
    fer2013_import.cancel()
    fer2013_import.forget()


def acts(monkeypatch, code: str) -> None:
    """Let the process run a line of Python instead, with SOURCE and OUT as its arguments."""
    monkeypatch.setattr(fer2013_import, "command", lambda *paths: [sys.executable, "-c", code, *map(str, paths)])


def after(state: str) -> fer2013_import.Import:
    until = time.monotonic() + 60
    while (now := fer2013_import.current()).state != state:
        assert time.monotonic() < until, now
        time.sleep(0.02)
    return now


def table(folder: Path) -> Path:
    pixels = " ".join(["7"] * 48 * 48)
    rows = [f"{i % 7},{pixels},{part}" for part in fer2013.SPLITS for i in range(7)]
    path = folder / "fer2013.csv"
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]))
    return path


def test_the_process_writes_a_complete_set_and_prints_its_progress(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fer2013, "COUNTS", dict.fromkeys(fer2013.SPLITS, [1] * 7))
    fer2013_process.write(table(tmp_path), tmp_path / "out.npz")
    assert len(FaceSet.load(tmp_path / "out.npz")) == 21
    assert capsys.readouterr().out.endswith('{"files": 21}\n')


def test_an_incomplete_set_is_refused_with_what_differs(tmp_path):
    with pytest.raises(DataError, match=r"not the complete FER2013.*Training: angry 1 instead of 3995.*--force"):
        fer2013_process.write(table(tmp_path), tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_the_real_process_ends_with_its_error_in_a_sentence(tmp_path):
    source = tmp_path / "notes.txt.zip"
    source.write_bytes(b"no archive")
    fer2013_import.import_path(source, tmp_path / "out.npz")
    now = after("failed")
    assert "is not an archive" in now.message
    assert now.source == "notes.txt.zip"


def test_progress_is_followed_to_the_end(tmp_path, monkeypatch):
    acts(monkeypatch, "import sys; print('{\"files\": 30000}', 'no json', sep=chr(10)); open(sys.argv[2], 'w')")
    fer2013_import.import_path(tmp_path, tmp_path / "out.npz")
    now = after("done")
    assert (tmp_path / "out.npz").exists()
    assert now.share == 1
    fer2013_import.forget()
    assert fer2013_import.current() is None


def test_a_second_import_waits_and_a_cancelled_one_ends(tmp_path, monkeypatch):
    acts(monkeypatch, "import time; print('{\"files\": 8}', flush=True); time.sleep(60)")
    fer2013_import.import_path(tmp_path, tmp_path / "out.npz")
    with pytest.raises(JobError, match="is being imported"):
        fer2013_import.import_path(tmp_path, tmp_path / "out.npz")
    fer2013_import.cancel()
    assert after("cancelled").state == "cancelled"
    acts(monkeypatch, "pass")
    fer2013_import.import_path(tmp_path, tmp_path / "out.npz")
    after("done")


def test_an_uploaded_file_never_names_a_path_and_is_deleted_at_the_end(tmp_path, monkeypatch):
    acts(monkeypatch, "import sys, pathlib; pathlib.Path(sys.argv[2]).write_text(sys.argv[1])")
    fer2013_import.import_file(b"emotion,pixels", "../../evil.csv", tmp_path / "out.npz")
    now = after("done")
    read = Path((tmp_path / "out.npz").read_text())
    assert now.source == "../../evil.csv"
    assert read.name == "upload.csv"
    assert "evil" not in str(read)
    assert not read.parent.exists()


def test_a_path_that_is_not_there_starts_nothing(tmp_path):
    with pytest.raises(JobError, match="does not exist"):
        fer2013_import.import_path(tmp_path / "none", tmp_path / "out.npz")
    assert fer2013_import.current() is None
