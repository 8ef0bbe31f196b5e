"""Which Prefect API a command of the console talks to."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deployments.environment import isolated_environment, profile_environment
from deployments.server import leased_server
from deployments.stack import StackFolder
from tasks.settings import Settings


def stack_folder() -> StackFolder:
    """Where the stack of this checkout lies, or of the home that REPRISE_HOME names."""
    return StackFolder(home=Settings().home.expanduser().resolve())


@contextmanager
def prefect_api(folder: StackFolder, *, use_profile: bool) -> Iterator[None]:
    """Point this process, which has not imported Prefect yet, to the Prefect API that it should use.

    In this order: that of the user's own profile when she asks for it; what PREFECT_API_URL names; the local stack
    when it runs; else a server of our own, which ends with the last command that uses it and keeps its history in the
    home. Raises ServerNotStarted, ProfileUnusable.
    """
    stack = folder.read()
    if use_profile:
        _enter(profile_environment(os.environ, home=folder.home))
        yield
    elif "PREFECT_API_URL" in os.environ:
        explicit = {name: value for name, value in os.environ.items() if name.startswith("PREFECT_")}
        _enter(_isolated(folder, folder.prefect_home) | explicit)
        yield
    elif stack is not None and stack.server is not None and stack.server_answers():
        _enter(_isolated(folder, folder.prefect_home, stack.server.api_url))
        yield
    else:
        with leased_server(os.environ, home=folder.home, folder=folder.home / "console") as server:
            _enter(_isolated(folder, folder.home / "console" / "prefect", server.api_url))
            yield


@contextmanager
def no_prefect_api(folder: StackFolder) -> Iterator[None]:
    """For commands that import Prefect and need no server: leave the user's settings and profile alone."""
    _enter(_isolated(folder, folder.prefect_home))
    yield


def _isolated(folder: StackFolder, prefect_home: Path, api_url: str | None = None) -> dict[str, str]:
    prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect warns when it cannot make it
    return isolated_environment(os.environ, home=folder.home, prefect_home=prefect_home, api_url=api_url)


def _enter(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
