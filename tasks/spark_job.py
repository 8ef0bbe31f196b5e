"""What submit and warehouse share: a Spark job as a value, and the port behind which it runs."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.errors import FatalError

Report = Callable[[str], None]

# A line that a script prints for people starts so; all others are its log.
PROGRESS = "progress: "


@dataclass(frozen=True, kw_only=True)
class SparkJob:
    """One call of spark-submit, wherever it runs.

    name:      what people read in logs and errors.
    script:    the Python file to run.
    packages:  folders of the Python packages that it imports; shipped with it.
    arguments: the script's arguments.
    """

    name: str
    script: Path
    packages: tuple[Path, ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SparkResult:
    """A job that succeeded, and the seconds that it took from its submission on."""

    seconds: float


class SparkJobFailed(FatalError):
    """A Spark job ended otherwise than well; the message has the reason and the end of its log."""


class Submission(Protocol):
    """A job that was submitted."""

    def wait(self, report: Report) -> SparkResult:
        """Pass on the job's lines until it ends. Raises SparkJobFailed; an interruption cancels the job."""


class SparkRunner(Protocol):
    """A place where Spark jobs run."""

    @property
    def spark_version(self) -> str:
        """The version of Spark that runs there, e.g. `3.5.6`."""

    def submit(self, job: SparkJob) -> Submission:
        """Start a job; whoever submits it waits for it."""


def zip_packages(packages: tuple[Path, ...]) -> bytes:
    """The packages' Python files as a zip for `--py-files`; equal files give equal bytes, on any machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for package in packages:
            for file in sorted(package.rglob("*.py")):
                name = file.relative_to(package.parent).as_posix()
                entry = zipfile.ZipInfo(name)  # with its fixed date of 1980: the file's own would change the bytes
                entry.create_system = 3
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()
