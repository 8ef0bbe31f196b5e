"""`reprise run`: the main job on a real input, with everything that it needs on this machine."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from console.output import columns, following, say
from deployments.errors import StepFailed

if TYPE_CHECKING:
    from deployments.stack import StackFolder
    from tasks.warehouse.publication import Publication

DEPLOYMENT = "erp-to-warehouse/local"
PREFECT = (sys.executable, "-m", "prefect", "--no-prompt")


def run(
    scale: Annotated[str, typer.Option(help="Size of the generated ERP; 1 is ten thousand students.")] = "1",
    seed: Annotated[str, typer.Option(help="Which ERP of that size.")] = "42",
) -> None:
    """The demonstration: generate the school's ERP, start the local stack, deploy, run the nightly flow."""
    from console.connection import no_prefect_api, stack_folder
    from deployments.stack import up
    from tasks.storage import open_area
    from tasks.warehouse.publication import latest_publication

    started, folder = time.monotonic(), stack_folder()
    areas = {"storage": str(folder.home / "staging"), "warehouse": str(folder.home / "warehouse")}
    say("The school's ERP, in PostgreSQL:")
    dsn = _erp_up(folder, scale=scale, seed=seed)
    say("Prefect's server and worker:")
    stack = up(folder, os.environ)
    assert stack.server is not None  # only --use-profile leaves it out
    say(f"  {stack.server.ui_url}")
    environment = folder.environment(os.environ, stack.server)
    _quietly([sys.executable, "-m", "deployments.blocks", dsn], environment)
    _deploy(folder, environment)
    say(f"The flow {DEPLOYMENT}:")
    with following(folder.worker_log):
        _watch(areas, environment, f"its log: {stack.server.ui_url}, or {folder.worker_log}")
    with no_prefect_api(folder):
        publication = latest_publication(open_area(areas["warehouse"]))
    assert publication is not None  # the flow completed
    typer.echo(_outcome(publication, areas, seconds=time.monotonic() - started))
    typer.echo(f"Prefect's UI   {stack.server.ui_url} (until `make stop`)")


def _erp_up(folder: "StackFolder", *, scale: str, seed: str) -> str:
    """The DSN of the ERP's reader, once the ERP of that scale and seed is loaded. Raises StepFailed."""
    command = [sys.executable, "-m", "erp", "up", "--scale", scale, "--seed", seed, "--home", str(folder.home)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise StepFailed("the ERP is not there: mend what is said above, then run again")
    return done.stdout.strip()


def _deploy(folder: "StackFolder", environment: Mapping[str, str]) -> None:
    """Have the deployments of prefect.yaml as they are there. Raises StepFailed.

    Once for each state of the file: deploying again would pause the schedule that a user has switched on.
    """
    from tasks.settings import CHECKOUT

    wanted = hashlib.sha256((CHECKOUT / "prefect.yaml").read_bytes()).hexdigest()
    if not folder.deployed.exists() or folder.deployed.read_text(encoding="utf-8") != wanted:
        _quietly([*PREFECT, "deploy", "--all"], environment)
        folder.deployed.write_text(wanted, encoding="utf-8")


def _watch(areas: Mapping[str, str], environment: Mapping[str, str], where: str) -> None:
    """Run the deployment and show its states until it ends. Raises StepFailed unless it completes."""
    from tasks.settings import CHECKOUT

    command = [*PREFECT, "deployment", "run", DEPLOYMENT, "--watch", "--params", json.dumps(areas)]
    if subprocess.run(command, env=environment, cwd=CHECKOUT, check=False).returncode != 0:
        raise StepFailed(f"the flow run did not complete; {where}")


def _quietly(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command that has nothing to tell but its errors. Raises StepFailed with them."""
    from tasks.settings import CHECKOUT

    done = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StepFailed(f"this failed: {' '.join(command)}\n{done.stdout}{done.stderr}")


def _outcome(publication: "Publication", areas: Mapping[str, str], *, seconds: float) -> str:
    rows = [(table.name, table.rows, table.folder) for table in publication.tables]
    return (
        f"{columns(('table', 'rows', 'files'), rows)}\n"
        f"snapshot       {publication.snapshot_at:%Y-%m-%d %H:%M:%S} UTC, published as {publication.snapshot_date}\n"
        f"time           {seconds:.0f} s\n"
        f"staging        {areas['storage']}\n"
        f"warehouse      {areas['warehouse']}"
    )
