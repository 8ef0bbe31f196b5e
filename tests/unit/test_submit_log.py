import pytest

from tasks.submit.log import end_of_log, reason_of

CONTRACT = """\
Traceback (most recent call last):
  File "tables.py", line 41, in <module>
    main()
spark.contracts.ContractBroken: table grades lacks exam; it has id: give the ERP's table
"""

WRITE_FAILED = """\
py4j.protocol.Py4JJavaError: An error occurred while calling o69.parquet.
: org.apache.spark.SparkException: Job aborted due to stage failure
\tat org.apache.spark.scheduler.DAGScheduler.runJob(DAGScheduler.scala:995)
Caused by: java.io.IOException: Mkdirs failed to create file:/proc/x
\tat org.apache.hadoop.fs.FileSystem.create(FileSystem.java:1195)
\t... 14 more

2026-11-20 09:02:12 WARN ShutdownHookManager: done
"""


@pytest.mark.parametrize(
    ("log", "code", "reason"),
    [
        (CONTRACT, 1, "ContractBroken: table grades lacks exam; it has id: give the ERP's table"),
        (WRITE_FAILED, 1, "IOException: Mkdirs failed to create file:/proc/x"),
        ("java.lang.OutOfMemoryError: Java heap space\n", 1, "OutOfMemoryError: Java heap space"),
        ("x\nCaused by: java.io.IOException: No space left on device\n", 1, "No space left on device: free some room"),
        ("", 137, "signal 9 ended it (9 is what the kernel sends when memory runs out)"),
        ("", 1, "exit code 1"),
    ],
)
def test_the_reason_is_the_deepest_cause_or_how_the_process_ended(log: str, code: int, reason: str) -> None:
    assert reason_of(log, code) == reason


def test_the_end_of_the_log_has_no_stack_frames_and_no_endless_lines() -> None:
    assert end_of_log(WRITE_FAILED).splitlines() == [
        "py4j.protocol.Py4JJavaError: An error occurred while calling o69.parquet.",
        ": org.apache.spark.SparkException: Job aborted due to stage failure",
        "Caused by: java.io.IOException: Mkdirs failed to create file:/proc/x",
        "2026-11-20 09:02:12 WARN ShutdownHookManager: done",
    ]
    assert [len(line) for line in end_of_log("\n".join("x" * 999 for _ in range(99))).splitlines()] == [300] * 8
