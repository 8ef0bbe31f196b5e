"""Runs a command for as long as somebody holds a shared lock on a lease file: `leash.py LEASE COMMAND…`.

The kernel drops a lock together with its holder, however that ended, so the command never outlives those who need it.
Runs as a script, with the standard library alone.
"""

import fcntl
import signal
import subprocess
import sys
import threading
from pathlib import Path

TERMINATE_SECONDS = 10.0


def main(lease: Path, command: list[str]) -> int:
    """Returns the command's exit code once it has ended; the lease stays locked until then."""
    with lease.open("rb") as lock:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        threading.Thread(target=_end_with_lease, args=(lock.fileno(), child), daemon=True).start()
        return child.wait()


def _end_with_lease(lock: int, child: "subprocess.Popen[bytes]") -> None:
    fcntl.flock(lock, fcntl.LOCK_EX)  # granted when the last holder is gone
    child.terminate()
    try:
        child.wait(TERMINATE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
