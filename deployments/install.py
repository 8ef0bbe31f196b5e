"""Makes the checkout's virtual environment: `python deployments/install.py`, run by `make setup`.

Runs before anything is installed, hence with the standard library alone. Installs what `requirements.lock` lists, by
its hashes, then the project itself. A stamp, written last, makes the next run instant; an interrupted run is finished
by the next.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
SIZE = ROOT / "requirements.size"  # megabytes of all files of the lock, as `make lock` downloaded them
STAMP = VENV / "installed"
MADE = VENV / "made"  # by which Python, and for which place: the environment's scripts hold its path
LOG = VENV / "setup.log"

VENV_MEGABYTES = 2_000
BUILD_MEGABYTES = 1_500  # PySpark is unpacked and packed again in the temporary folder
LARGE_MEGABYTES = 10.0

# What pip says, and what to do about it.
REMEDIES = {
    r"No space left on device": "the disk is full; make room and run `make setup` again",
    r"DO NOT MATCH THE HASHES": "a package is not the one that was locked: do not trust the registry, or the way to it",
    r"SSLError|CERTIFICATE_VERIFY": "the registry's certificate is not trusted; name your CA bundle in pip's `cert`",
    r"ProxyError|Connection|name resolution|timed out|Max retries|No matching distribution": (
        "the package registry was not reached; check the network, or pip's `index-url` and `proxy`, "
        "and run `make setup` again: it goes on where it stopped"
    ),
}


class SetupError(Exception):
    """The environment cannot be made; the message has the fact and the remedy."""


def main() -> int:
    try:
        install()
    except SetupError as error:
        say(f"setup: {error}")
        return 1
    except KeyboardInterrupt:
        say("setup: interrupted; run `make setup` again: it goes on where it stopped")
        return 130
    return 0


def install() -> None:
    """Make `.venv` what the lock file says; does nothing when it is so already. Raises SetupError."""
    check_venv_module()
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    check_disk()
    download = SIZE.read_text(encoding="utf-8").strip()
    say(
        f"Installing into .venv: about {download} MB to download (less what pip has in its cache), "
        f"{VENV_MEGABYTES / 1000:g} GB of disk; a few minutes."
    )
    STAMP.unlink(missing_ok=True)  # an interrupted change is neither the old state nor the new one
    make_venv()
    with tempfile.TemporaryDirectory(prefix="reprise-setup-") as folder:
        build = Path(folder) / "build.lock"
        build.write_text(locked_requirement("setuptools"), encoding="utf-8")
        LOG.write_text("", encoding="utf-8")
        pip("--require-hashes", "--no-deps", "-r", str(build))  # builds PySpark and the project
        pip("--require-hashes", "--no-deps", "--no-build-isolation", "-r", str(LOCK))
        pip("--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    STAMP.write_text(wanted, encoding="utf-8")
    say("Installed.")


def fingerprint() -> str:
    """What the environment depends on; a moved checkout needs a new one, since its scripts hold its path."""
    parts = [LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode(), os.fsencode(VENV)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def check_venv_module() -> None:
    """Raises SetupError when this Python cannot make virtual environments; Debian packs that apart."""
    missing = [name for name in ("ensurepip", "venv") if find_spec(name) is None]
    if missing:
        major, minor = sys.version_info[:2]
        raise SetupError(
            f"{sys.executable} came without the module {missing[0]!r}; on Debian and Ubuntu: "
            f"sudo apt install python{major}.{minor}-venv"
        )


def check_disk() -> None:
    """Raises SetupError when the checkout's disk or the temporary folder's has too little room."""
    temporary = Path(tempfile.gettempdir())
    needs = {ROOT: VENV_MEGABYTES, temporary: BUILD_MEGABYTES}
    if ROOT.stat().st_dev == temporary.stat().st_dev:
        needs = {ROOT: VENV_MEGABYTES + BUILD_MEGABYTES}
    for folder, megabytes in needs.items():
        free = shutil.disk_usage(folder).free // 1_000_000
        if free < megabytes:
            remedy = "make room" if folder == ROOT else "make room, or name another folder by TMPDIR"
            raise SetupError(f"{folder} has {free} MB free, {megabytes} MB are needed; {remedy}")


def make_venv() -> None:
    """Make the virtual environment, or keep a whole one of this same Python in this same place. Raises SetupError."""
    wanted = os.fsencode(f"{sys.version}\n{VENV}\n")
    if VENV_PYTHON.exists() and MADE.exists() and MADE.read_bytes() == wanted:
        return
    MADE.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SetupError(f"the virtual environment {VENV} was not made: {(done.stderr or done.stdout).strip()}")
    MADE.write_bytes(wanted)


def locked_requirement(name: str) -> str:
    """One package's lines of the lock file, hashes included."""
    match = re.search(rf"^{re.escape(name)}==(?:.*\\\n)*.*\n", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise SetupError(f"{LOCK.name} does not list {name}; write it anew: make lock")
    return match.group()


def pip(*arguments: str) -> None:
    """Run `pip install` in the virtual environment and show its progress. Raises SetupError with a remedy.

    The user's pip configuration holds, but for `user`, which makes no sense in a virtual environment.
    """
    command = [str(VENV_PYTHON), "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off", *arguments]
    environment = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}
    with (
        LOG.open("a", encoding="utf-8") as log,
        subprocess.Popen(
            command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        assert process.stdout is not None  # it is a pipe
        lines = []
        for line in process.stdout:
            log.write(line)
            lines.append(line.rstrip())
            for progress in worth_telling(line):
                say(progress)
    if process.returncode != 0:
        raise SetupError(failure(lines))


def worth_telling(line: str) -> Iterator[str]:
    """What to show of a line of pip's: the large files, and the long silences."""
    file = re.match(r"\s*(Downloading|Using cached) (?:.*/)?(\S+) \(([\d.]+) MB\)", line)
    if file and float(file[3]) >= LARGE_MEGABYTES:
        yield f"  {file[1].lower()} {file[2]} ({float(file[3]):.0f} MB)"
    if line.startswith("Building wheels for collected packages: pyspark"):
        yield "  building PySpark's wheel"
    packages = line.count(",") + 1
    if line.startswith("Installing collected packages") and packages > 1:
        yield f"  installing {packages} packages"


def failure(lines: list[str]) -> str:
    """The message of a failed pip: the end of what it said, and the remedy."""
    said = "\n".join(lines)
    remedy = next((remedy for pattern, remedy in REMEDIES.items() if re.search(pattern, said)), None)
    end = "\n".join(f"  {line}" for line in lines[-8:])
    return f"pip failed: {remedy or 'see the end of its output'}\n{end}\n(all of it: {LOG.relative_to(ROOT)})"


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
