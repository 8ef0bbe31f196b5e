"""The local runner with the real spark-submit, on scripts that open no session."""

import time
from pathlib import Path

import psutil
import pytest

from tasks.spark_job import SparkJob, SparkJobFailed
from tasks.submit.local import LocalRunner


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, and an environment in which no part of the user's own Spark or Java works."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for name in ("JAVA_HOME", "SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR", "PYSPARK_DRIVER_PYTHON"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master nonsense")
    return folder


def job(tmp_path: Path, script: str, *arguments: str) -> SparkJob:
    folder = tmp_path / "a folder, {1}"
    package = folder / "shipped"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("WORD = 'shipped'\n")
    (folder / "script.py").write_text(script)
    return SparkJob(name="trial", script=folder / "script.py", packages=(package,), arguments=arguments)


def test_a_script_runs_with_its_package_and_arguments_and_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    script = "import shipped, sys\nprint('noise')\nprint('progress:', shipped.WORD, sys.argv[1:])\n"
    lines: list[str] = []
    runner = LocalRunner(logs=tmp_path / "logs")
    result = runner.submit(job(tmp_path, script, "a b", "é{x}", "")).wait(lines.append)
    assert lines == ["shipped ['a b', 'é{x}', '']"]
    assert result.seconds > 0
    assert not list((tmp_path / "logs").iterdir())
    assert not list(temporary.iterdir())


def test_a_failure_tells_its_reason_and_keeps_the_log(temporary: Path, tmp_path: Path) -> None:
    script = "class StockBroken(Exception): pass\nraise StockBroken('shelf 3 is empty')\n"
    with pytest.raises(SparkJobFailed, match="Spark job 'trial' failed: StockBroken: shelf 3 is empty: nothing was"):
        LocalRunner(logs=tmp_path / "logs").submit(job(tmp_path, script)).wait(print)
    (log,) = (tmp_path / "logs").iterdir()
    assert "Traceback" in log.read_text()
    assert not list(temporary.iterdir())


def test_an_interruption_ends_the_job_and_all_its_processes(temporary: Path, tmp_path: Path) -> None:
    script = "import os, time\nprint('progress:', os.getpid(), flush=True)\ntime.sleep(1000)\n"
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalRunner(logs=tmp_path / "logs").submit(job(tmp_path, script)).wait(interrupt)
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pids[0]):
        assert time.monotonic() < deadline, "the script outlives its job"
        time.sleep(0.05)
    assert not list(temporary.iterdir())
