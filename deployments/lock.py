"""Writes `requirements.lock` anew from `pyproject.toml`, with hashes, and what it costs to download: `make lock`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from deployments.install import LOCK, ROOT, SIZE


def main() -> None:
    """Raises CalledProcessError when a version is not found, with the tool's own message on the screen."""
    uv = Path(sys.executable).with_name("uv")
    options = ["--all-extras", "--universal", "--python-version", "3.11", "--generate-hashes"]
    unnamed = ["--no-emit-index-url", "--no-header", "--quiet"]  # the lock names no registry
    _run(uv, "pip", "compile", "pyproject.toml", *options, *unnamed, "-o", LOCK.name)
    with tempfile.TemporaryDirectory() as folder:
        hashed = ["--require-hashes", "--no-deps", "--no-build-isolation"]
        _run(sys.executable, "-m", "pip", "download", "--quiet", *hashed, "-r", LOCK.name, "-d", folder)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    SIZE.write_text(f"{size // 1_000_000}\n", encoding="utf-8")


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
