"""The main job on a real input: `python -m deployments.run --scale 1 --seed 1`, called by `make run`.

Everything that it needs runs on this machine; what runs already is used.
"""

import argparse
import os
import subprocess
import sys
import time

from deployments.stack import StackFolder, up
from tasks.errors import RepriseError
from tasks.settings import CHECKOUT, Settings

DEPLOYMENT = "erp-to-warehouse/local"


class StepFailed(RepriseError):
    """A step of the run ended with an error, which it has shown; the message says where to look."""


def main() -> int:
    """Returns the exit code: 0 when the warehouse is built."""
    parser = argparse.ArgumentParser(prog="make run", description="The school's ERP becomes a warehouse.")
    parser.add_argument("--scale", default="1", help="size of the ERP; 1 is ten thousand students")
    parser.add_argument("--seed", default="1", help="which ERP of that size")
    arguments = parser.parse_args()
    folder = StackFolder(home=Settings().home.resolve())
    try:
        run(folder, scale=arguments.scale, seed=arguments.seed)
    except KeyboardInterrupt:
        say("make run: interrupted; what was started goes on in the background, `make stop` ends it")
        return 1
    except (RepriseError, OSError) as error:
        say(f"make run: {error}")
        return 1
    return 0


def run(folder: StackFolder, *, scale: str, seed: str) -> None:
    """Fill the ERP, start the stack, deploy the flows, run the nightly one and show what came out of it.

    Raises StepFailed, ServerNotStarted, WorkerNotStarted.
    """
    started = time.monotonic()
    say("ERP: PostgreSQL with a generated school")
    dsn = erp_up(folder, scale=scale, seed=seed)
    say("Prefect: server and worker")
    stack = up(folder, os.environ)
    environment = folder.environment(os.environ, stack.server)
    quietly("saving the ERP's block", [sys.executable, "-m", "deployments.blocks", dsn], environment)
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    quietly("deploying the flows", [*prefect, "deploy", "--all"], environment)
    say(f"Flow: {DEPLOYMENT}")
    watch = subprocess.run(
        [*prefect, "deployment", "run", DEPLOYMENT, "--watch"], env=environment, cwd=CHECKOUT, check=False
    )
    if watch.returncode != 0:
        raise StepFailed(f"the flow run failed; see it at {ui_url(stack)}, its log is {folder.worker_log}")
    show_outcome(stack, time.monotonic() - started)
