"""What Spark's log says about a failure, for a person who will not read all of it."""

import re

LAST_LINES = 8
LONGEST_LINE = 300

# `Caused by: java.io.EOFException: …`, `spark.contracts.ContractBroken: table grades lacks …`
_ERROR = re.compile(r"^(?:Caused by: )?[\w.$]*?(?P<error>\w+(?:Error|Exception|Broken)\b.*)$", re.MULTILINE)

_NO_SPACE = ("No space left on device", "Disk quota exceeded")


def reason_of(log: str, code: int) -> str:
    """One sentence: the log's last error, which is its deepest cause; else how the process ended (its exit code)."""
    for sign in _NO_SPACE:
        if sign in log:
            return f"{sign}: free some room"
    errors: list[str] = _ERROR.findall(log)
    if errors:
        return errors[-1].strip().rstrip(".")
    if code > 128:
        return f"signal {code - 128} ended it (9 is what the kernel sends when memory runs out)"
    return f"exit code {code}"


def end_of_log(log: str) -> str:
    """The last lines, without those that are indented: they are stack frames."""
    lines = [line for line in log.splitlines() if line and not line[0].isspace()]
    return "\n".join(line[:LONGEST_LINE] for line in lines[-LAST_LINES:])
