"""The Makefile in a checkout of its own, whose commands say how they were called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"
ECHO = '#!/bin/sh\necho "$(basename "$0"):" "$@"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose setup is not finished: the commands are there, the stamp is not."""
    folder = tmp_path / "chez élève"
    for name in ("reprise", "python"):
        command = folder / ".venv" / "bin" / name
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(ECHO)
        command.chmod(0o755)
    shutil.copy(MAKEFILE, folder)
    return folder


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("SCALE", "SEED", "MAKEFLAGS")}
    command = ["make", "--no-print-directory", "PYTHON=true", *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_a_quote_in_the_scale_is_not_run_by_the_shell(checkout: Path) -> None:
    assert make(checkout, "run").stdout == "reprise: run --scale 1 --seed 42\n"
    quoted = make(checkout, "run", "SCALE=1'; echo run; '", 'SEED="; echo run; "')
    assert quoted.stdout == "reprise: run --scale 1'; echo run; ' --seed \"; echo run; \"\n"


def test_clean_stops_what_runs_and_removes_what_was_made(checkout: Path) -> None:
    (checkout / ".venv" / "installed").write_text("")
    done = make(checkout, "clean")
    assert (done.returncode, done.stdout) == (0, "reprise: down\npython: -m erp remove\n"), done.stderr
    assert [path.name for path in checkout.iterdir()] == ["Makefile"]


def test_clean_after_an_interrupted_setup_removes_what_there_is_and_says_what_it_skips(checkout: Path) -> None:
    (checkout / ".reprise" / "erp").mkdir(parents=True)
    done = make(checkout, "clean")
    assert (done.returncode, done.stdout) == (0, "")
    assert "stop: skipped, since .venv is not there or not whole" in done.stderr
    assert "clean: the ERP is removed without asking its server to end" in done.stderr
    assert [path.name for path in checkout.iterdir()] == ["Makefile"]
