"""What a killed process leaves unfinished is removed by the next user of the place, and by nobody before."""

import signal
import subprocess
import sys
from pathlib import Path

from tasks.scratch import scratch_folder
from tasks.storage import open_area

FILL = """
import os, signal, sys
from pathlib import Path
from tasks.scratch import scratch_folder

with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "half.parquet").write_bytes(b"PAR1")
    print(folder, flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_folder_of_a_killed_process_goes_with_the_next_use(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        with scratch_folder(tmp_path) as ours, scratch_folder(tmp_path) as second:
            assert {*tmp_path.iterdir()} == {theirs, ours, second}, "folders in use stay"
        process.communicate("now\n", timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert [*theirs.iterdir()] == [theirs / "half.parquet"]
    with scratch_folder(tmp_path) as ours:
        assert [*tmp_path.iterdir()] == [ours]
    assert [*tmp_path.iterdir()] == []


def test_unfinished_files_are_no_objects(tmp_path: Path) -> None:
    area = open_area(str(tmp_path))
    area.put("data/a", b"a")
    unfinished = tmp_path / ".partial" / "of somebody" / "chunk.parquet"
    unfinished.parent.mkdir()
    unfinished.write_bytes(b"PAR1")
    assert [*area.list("")] == ["data/a"]
