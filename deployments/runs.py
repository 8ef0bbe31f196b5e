"""Flow runs whose process is gone: a server believes for ever that they run, and keeps their deployment's slot."""

import json
from typing import Any
from urllib.request import Request, urlopen

SECONDS = 30.0
MESSAGE = "The local stack was stopped while this ran. What was finished is kept: run it again."


def crash_abandoned_runs(api_url: str, work_pool: str) -> None:
    """Mark the runs of this pool, and the runs that those called, as crashed. Call it while the pool has no worker.

    Runs in a process of their own, such as `reprise unload`, are left alone. Safe to repeat.
    """
    unfinished = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}}
    for run in _post(f"{api_url}/flow_runs/filter", unfinished):
        if run["work_pool_name"] == work_pool or run["parent_task_run_id"] is not None:
            crashed = {"type": "CRASHED", "name": "Crashed", "message": MESSAGE}
            _post(f"{api_url}/flow_runs/{run['id']}/set_state", {"state": crashed})


def _post(url: str, body: dict[str, Any]) -> Any:
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310  # our own server
    with urlopen(request, timeout=SECONDS) as response:  # noqa: S310  # our own server
        return json.load(response)
