import re
from pathlib import Path

import pytest

from deployments import install
from deployments.install import LOCK, SetupError, check_disk, failure, locked_requirement, make_venv, worth_telling


def test_the_lock_names_hashes_and_no_registry() -> None:
    text = LOCK.read_text(encoding="utf-8")
    packages = re.findall(r"^[\w.-]+==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(packages) == len(re.findall(r"^\w", text, re.MULTILINE)) > 100
    assert "://" not in text


def test_what_builds_pyspark_is_installed_first_by_its_hashes() -> None:
    lines = locked_requirement("setuptools").splitlines()
    assert lines[0].startswith("setuptools==")
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
    assert len(lines) > 1


def test_a_package_that_the_lock_lacks_is_named() -> None:
    with pytest.raises(SetupError, match="does not list no-such-package; write it anew: make lock"):
        locked_requirement("no-such-package")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  Downloading pyspark-3.5.9.tar.gz (317.9 MB)\n", ["  downloading pyspark-3.5.9.tar.gz (318 MB)"]),
        ("  Using cached https://x.example/a/numpy-2.4.6.whl (16.9 MB)\n", ["  using cached numpy-2.4.6.whl (17 MB)"]),
        ("  Downloading click-8.5.1-py3-none-any.whl (102 kB)\n", []),
        ("Collecting click==8.5.1 (from -r requirements.lock (line 4))\n", []),
        ("Installing collected packages: a, b, c\n", ["  installing 3 packages"]),
        ("Installing collected packages: reprise\n", []),
    ],
)
def test_progress_is_the_large_files_and_the_long_silences(line: str, shown: list[str]) -> None:
    assert list(worth_telling(line)) == shown


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("ERROR: [Errno 28] No space left on device", "the disk is full; make room"),
        ("NewConnectionError: Temporary failure in name resolution", "the package registry was not reached"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "name your CA bundle"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "do not trust the registry"),
        ("error: something new", "see the end of its output"),
    ],
)
def test_a_failure_has_its_remedy_and_the_end_of_what_pip_said(said: str, remedy: str) -> None:
    message = failure(["Collecting a", said])
    assert remedy in message
    assert said in message


def test_too_little_disk_is_said_in_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "VENV_MEGABYTES", 10**9)
    with pytest.raises(SetupError, match=r"\d+ MB free, \d+ MB are needed; make room"):
        check_disk()


def test_the_stamp_changes_with_the_lock_and_with_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = install.fingerprint()
    assert install.fingerprint() == here
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    moved = install.fingerprint()
    changed_lock = tmp_path / "requirements.lock"
    changed_lock.write_text("")
    monkeypatch.setattr(install, "LOCK", changed_lock)
    assert len({here, moved, install.fingerprint()}) == 3


@pytest.fixture
def venv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of an environment that is not made yet."""
    folder = tmp_path / "chez élève" / ".venv"
    monkeypatch.setattr(install, "VENV", folder)
    monkeypatch.setattr(install, "VENV_PYTHON", folder / "bin" / "python")
    monkeypatch.setattr(install, "STAMP", folder / "installed")
    monkeypatch.setattr(install, "MADE", folder / "made")
    return folder


def test_a_whole_environment_is_kept_and_a_broken_one_is_made_anew(venv: Path) -> None:
    make_venv()
    package = venv / "a large package"
    package.write_text("")
    make_venv()
    assert package.exists()
    (venv / "made").unlink()  # as when its making was interrupted
    make_venv()
    assert not package.exists()
    assert (venv / "made").exists()


def test_an_interrupted_change_is_not_believed(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_venv()
    (venv / "installed").write_text("an earlier lock file's")
    empty_lock = venv / "requirements.lock"
    empty_lock.write_text("")
    monkeypatch.setattr(install, "LOCK", empty_lock)
    monkeypatch.setattr(install, "check_disk", lambda: None)
    with pytest.raises(SetupError, match="does not list setuptools"):
        install.install()
    assert not (venv / "installed").exists()
