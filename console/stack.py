"""`reprise up|down|status`: the local stack."""

import os
from typing import Annotated

import typer

from console.output import columns, say

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


def status() -> None:
    """Show what runs; exit code 1 when the Prefect server or the worker does not."""
    from console.connection import stack_folder
    from deployments.stack import parts

    found = parts(stack_folder())
    typer.echo(columns(("part", "state", "where"), [(p.name, "up" if p.is_up else "down", p.where) for p in found]))
    server, worker, _ = found
    if not (server.is_up and worker.is_up):
        say("start what is down: reprise up")
        raise typer.Exit(1)
