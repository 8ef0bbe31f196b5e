"""The environment in which the project's own Prefect processes run.

Prefect reads its settings from `PREFECT_*` variables, then from the active profile of `PREFECT_PROFILES_PATH`, by
default the one below `~/.prefect`. Both may belong to somebody's other work, Prefect Cloud perhaps.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deployments.errors import ProfileUnusable, TemporaryFolderForeign

LOOPBACK = "127.0.0.1"
OWNER = "REPRISE_OWNER"  # marks every process that we start: its value is the home it belongs to


def isolated_environment(
    caller: Mapping[str, str], *, home: Path, prefect_home: Path, api_url: str | None = None
) -> dict[str, str]:
    """The caller's environment with every Prefect setting replaced by our own; `caller` itself is left as it is.

    home:         the project's home, whose processes `deployments.processes.stop_owned` finds.
    prefect_home: folder of Prefect's database, profiles and results; it need not exist.
    api_url:      the server to talk to; None for the server's own process.
    Raises TemporaryFolderForeign.
    """
    environment = {name: value for name, value in caller.items() if not name.startswith("PREFECT_")}
    environment |= {
        OWNER: str(home),
        "PREFECT_HOME": str(prefect_home),
        "PREFECT_PROFILES_PATH": str(prefect_home / "profiles.toml"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # a server that is away is an error, not a reason for another
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "TMPDIR": str(temporary_folder()),
        # What flows start by name is what this virtual environment has, activated or not.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), caller.get("PATH", os.defpath)]),
    }
    if api_url is not None:
        environment["PREFECT_API_URL"] = api_url
    return environment | _no_proxy_to_this_machine(caller)


def profile_environment(caller: Mapping[str, str], *, home: Path) -> dict[str, str]:
    """The caller's environment with her own Prefect settings and profile, for a process of this home.

    Raises ProfileUnusable when they name no server to talk to, and TemporaryFolderForeign.
    """
    from prefect.settings import get_current_settings

    if get_current_settings().api.url is None:
        raise ProfileUnusable(
            "your Prefect profile names no server; `prefect cloud login` or `prefect config set PREFECT_API_URL=…`, "
            "or leave out --use-profile for a server of our own"
        )
    return {**caller, OWNER: str(home), "DO_NOT_TRACK": "1", "TMPDIR": str(temporary_folder())}


def temporary_folder() -> Path:
    """A temporary folder that is the user's alone, made when absent; safe to repeat where TMPDIR is that one already.

    Prefect's worker keeps `runner_storage` in the temporary folder: in a shared one it belongs to whoever came first,
    and nobody else can run anything. Raises TemporaryFolderForeign.
    """
    shared, name = Path(tempfile.gettempdir()), f"reprise-tmp-{os.geteuid()}"
    folder = shared if shared.name == name else shared / name
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise TemporaryFolderForeign(f"{folder} belongs to somebody else; have it removed, or name another by TMPDIR")
    return folder


def _no_proxy_to_this_machine(caller: Mapping[str, str]) -> dict[str, str]:
    """Prefect's client obeys HTTP_PROXY, and a company's proxy knows nothing of a server on this machine."""
    excepted = caller.get("no_proxy") or caller.get("NO_PROXY") or ""
    hosts = dict.fromkeys([*filter(None, excepted.split(",")), LOOPBACK, "localhost"])
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(hosts))
