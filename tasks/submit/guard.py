"""Runs a command that must not outlive whoever asked for it: `guard.py SCRATCH COMMAND…`.

The asker holds the other end of our standard input. When it closes, on purpose or because the asker was killed, the
command is killed with all that it started. The scratch folder is removed at the end, whatever the end was.
Runs as a script, with the standard library alone.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading


def main(scratch: str, command: list[str]) -> int:
    """Returns the command's exit code; 128 + n when signal n ended it."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_watch_asker, args=(stop,), daemon=True).start()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_kill_on, args=(stop, child.pid), daemon=True).start()
    code = child.wait()
    _kill_group(child.pid)  # what it left behind
    shutil.rmtree(scratch, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _watch_asker(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    stop.set()


def _kill_on(stop: threading.Event, group: int) -> None:
    stop.wait()
    _kill_group(group)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
