"""The guard, on commands of the shell."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.submit.local import GUARD

# Says that it runs, waits for ever, and has a child that does so too and holds the same standard output.
FOREVER = "echo running; sleep 1000 & sleep 1000"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "file").write_text("something")
    return folder


def guarded(scratch: Path, script: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-I", "-S", str(GUARD), str(scratch), "sh", "-c", script]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 128 + signal.SIGKILL)])
def test_the_commands_exit_code_is_the_guards_and_the_scratch_folder_goes(
    scratch: Path, script: str, code: int
) -> None:
    with guarded(scratch, script) as guard:
        assert guard.wait(30) == code
    assert not scratch.exists()


def test_closing_the_pipe_ends_the_command_and_its_children(scratch: Path) -> None:
    with guarded(scratch, FOREVER) as guard:
        assert guard.stdin is not None
        assert guard.stdout is not None
        guard.stdout.readline()
        guard.stdin.close()
        assert guard.stdout.read() == "", "nobody holds the output any more"
        assert guard.wait(30) == 128 + signal.SIGKILL
    assert not scratch.exists()


def test_a_terminated_guard_ends_the_command_too(scratch: Path) -> None:
    with guarded(scratch, FOREVER) as guard:
        assert guard.stdout is not None
        guard.stdout.readline()
        guard.terminate()
        assert guard.stdout.read() == ""
        assert guard.wait(30) == 128 + signal.SIGKILL
    assert not scratch.exists()
