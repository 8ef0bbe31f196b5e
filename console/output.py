"""Where the console's words go: results to standard output, everything else to standard error."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TextIO


def say(text: str) -> None:
    """A line for the person at the screen, on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def results_apart() -> Iterator[TextIO]:
    """The real standard output, while whatever else writes there, child processes too, goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as results:
            yield results
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def following(log: Path) -> Iterator[None]:
    """Say what is added to a log file while the block runs: what a flow run in another process tells."""
    start, is_over = log.stat().st_size if log.exists() else 0, Event()

    def follow() -> None:
        with log.open(encoding="utf-8", errors="replace") as lines:
            lines.seek(start)
            is_last = False
            while not is_last:
                is_last = is_over.wait(0.2)
                sys.stderr.writelines(lines)
                sys.stderr.flush()

    thread = Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def columns(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in plain text: numbers to the right with thousands apart, everything else to the left."""
    cells = [header, *[[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    right = [bool(rows) and isinstance(rows[0][column], int | float) for column in range(len(header))]
    lines = []
    for row in cells:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


class ShortErrors(logging.Filter):
    """Takes errors that explain themselves out of what Prefect prints: the console says them once, at the end.

    What a retry logs stays, without its traceback. Prefect's server gets all of it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        from tasks.errors import RepriseError

        if record.exc_info and isinstance(record.exc_info[1], RepriseError):
            record.exc_info = None  # the console's handler is the last one
            return record.levelno < logging.ERROR
        if record.name == "psycopg.transaction":  # a rollback on a lost connection; what lost it is raised
            return False
        # The first is the same error once more, the second how Prefect says goodbye to what it has yet to send.
        return not record.getMessage().startswith(("Finished in state Failed", "Still processing items"))


def shorten_errors() -> None:
    """Let Prefect, which has been imported, print no traceback of errors that explain themselves."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(ShortErrors())
