"""`reprise up|down|status`: the local stack."""

import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from console.output import columns, say
from deployments.environment import OWNER

if TYPE_CHECKING:
    from deployments.stack import StackFolder

OURS_ALONE = (OWNER, "TMPDIR")

UseProfile = Annotated[
    bool,
    typer.Option("--use-profile", help="Work with the server of your own Prefect profile, instead of one of our own."),
]


def up(use_profile: UseProfile = False) -> None:
    """Start what does not run yet of the local stack: a Prefect server and a worker."""
    from console.connection import stack_folder
    from deployments.stack import up as start

    start(stack_folder(), os.environ, use_profile=use_profile)
    status()


def down() -> None:
    """End all that was started: worker, flow runs and their children, Prefect server, the ERP's PostgreSQL."""
    from console.connection import stack_folder
    from deployments.stack import down as end

    ended = end(stack_folder())
    say(f"ended {ended} process(es)" if ended else "nothing was running")


def status(
    env: Annotated[
        bool, typer.Option("--env", help="Print what lets the `prefect` command use the stack, for a shell to eval.")
    ] = False,
) -> None:
    """Show what runs; exit code 1 when the Prefect server or the worker does not."""
    from console.connection import stack_folder
    from deployments.stack import parts

    folder = stack_folder()
    found = parts(folder)
    server, worker, _ = found
    if env:
        # A shell's eval knows nothing of our exit code: it fails by what it is given.
        typer.echo(_environment_of(folder) if server.is_up else "false")
    else:
        table = [(part.name, "up" if part.is_up else "down", part.where) for part in found]
        typer.echo(columns(("part", "state", "where"), table))
    if not (server.is_up and worker.is_up):
        say("start what is down: reprise up")
        raise typer.Exit(1)


def _environment_of(folder: "StackFolder") -> str:
    stack = folder.read()
    assert stack is not None  # its server is up
    return shell_code(os.environ, folder.environment(os.environ, stack.server))


def shell_code(caller: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """What makes a shell with the caller's environment one for the `prefect` command, as our own processes have it.

    Not what only processes of ours need: the shell is not ours to stop, and its temporary folder stays.
    """
    changed = {name: value for name, value in sorted(wanted.items()) if caller.get(name) != value}
    unwanted = sorted(name for name in caller if name.startswith("PREFECT_") and name not in wanted)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in changed.items() if name not in OURS_ALONE]
    return "\n".join([*(f"unset {name}" for name in unwanted), *exports])
