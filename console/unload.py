"""`reprise unload`: run the unload flow in this process."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from console.output import columns, results_apart, shorten_errors
from console.stack import UseProfile

if TYPE_CHECKING:
    from tasks.unload.report import UnloadReport


def unload(
    source: Annotated[str, typer.Option(help="A DSN (postgresql://user@host:port/database) or a Prefect block.")],
    schema: Annotated[str, typer.Option(help="The schema whose tables are unloaded.")],
    storage: Annotated[str, typer.Option(help="A folder, s3://bucket/prefix, or s3-bucket/<block name>.")],
    workers: Annotated[int, typer.Option(min=1, max=64, help="Chunks that are read at the same time.")] = 2,
    source_name: Annotated[
        str | None, typer.Option(help="Your name for the source server, part of its identity; by default its address.")
    ] = None,
    trust_restart: Annotated[
        bool, typer.Option("--trust-restart", help="Keep what was cached before the source server was restarted.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the report as one JSON object; everything else goes to standard error."),
    ] = False,
    use_profile: UseProfile = False,
) -> None:
    """Unload all tables of a schema, as they are at one instant; only what changed since the last time is read."""
    source = _without_password(source)
    from console.connection import prefect_api, stack_folder

    with results_apart() as results, prefect_api(stack_folder(), use_profile=use_profile):
        from flows.unload_erp import unload_erp

        shorten_errors()
        report = unload_erp(
            source=source,
            source_schema=schema,
            storage=storage,
            workers=workers,
            source_name=source_name,
            trust_restart=trust_restart,
        )
        results.write((report.model_dump_json() if as_json else _summary(report)) + "\n")


def _summary(report: "UnloadReport") -> str:
    header = ("table", "rows", "chunks", "read", "cached", "bytes", "seconds")
    rows = [
        (t.table, t.rows, t.chunks, t.chunks_run, t.chunks_cached, t.bytes, f"{t.seconds:.1f}") for t in report.tables
    ]
    return f"{columns(header, rows)}\nmanifest: {report.manifest}"


def _without_password(source: str) -> str:
    """The source as it may be shown; does not return when it holds a password, but starts this process over.

    Flow runs show their parameters and the system shows command lines, so the password goes into PGPASSWORD, where
    PostgreSQL's clients look. Raises SourceRefused before anybody sees a source whose parts cannot be told apart.
    """
    from psycopg.conninfo import make_conninfo

    from tasks.unload.source import is_block, parameters_of_dsn

    if is_block(source):
        return source
    parameters = parameters_of_dsn(source)
    password = parameters.pop("password", None)
    if password is not None:
        shown = make_conninfo(**{name: str(value) for name, value in parameters.items()})
        arguments = [argument.replace(source, shown) for argument in sys.orig_argv[1:]]
        environment = {**os.environ, "PGPASSWORD": str(password)}
        os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606  # ourselves, no shell wanted
    return source
