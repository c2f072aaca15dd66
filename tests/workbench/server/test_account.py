"""An account without a home, without a name, and with a temporary folder that others share."""

import getpass
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from workbench.demo import process
from workbench.server import account
from workbench.server.account import AccountError

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="user ids of POSIX")


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """What Python says in a container whose user id has no passwd entry, and no home is set."""

    def unknown(*_):
        raise KeyError("getpwuid(): uid not found: 54321")

    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    yield tmp_path
    tempfile.tempdir = None


def test_an_account_without_home_and_name_gets_both(nobody):
    with pytest.raises(RuntimeError):
        Path.home()
    account.ensure_home()
    assert Path.home().parent == nobody
    assert Path.home().stat().st_mode & 0o777 == 0o700
    assert getpass.getuser() == str(os.getuid())


def test_a_home_that_is_there_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    account.ensure_home()
    assert Path.home() == tmp_path


def test_sharing_has_its_folder_without_a_name(nobody):
    assert process.current() is None
    assert list(nobody.iterdir()) == [nobody / f"ferscope-share-{os.getuid()}"]


def test_a_folder_that_others_may_read_or_have_put_a_link_at_is_refused(nobody):
    folder = nobody / f"ferscope-share-{os.getuid()}"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(AccountError, match="belongs to another user"):
        account.private_folder("share")
    with pytest.raises(process.SharingError, match="set TMPDIR"):
        process.stop()
    folder.rmdir()
    elsewhere = nobody / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(AccountError, match="belongs to another user"):
        account.private_folder("share")


def test_a_place_where_no_folder_can_be_made_is_a_sentence(nobody, monkeypatch):
    (nobody / "file").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(nobody / "file"))
    with pytest.raises(AccountError, match=r"cannot be made .*set TMPDIR"):
        account.private_folder("home")


def test_the_command_runs_where_no_home_is_set(tmp_path):
    code = (
        "import os, pwd, sys\n"
        "def unknown(*_): raise KeyError('uid not found')\n"
        "pwd.getpwuid = unknown\n"
        "from workbench import cli\n"
        "cli.main([])\n"
        "from pathlib import Path\n"
        "print(Path.home())"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / f"ferscope-home-{os.getuid()}")
