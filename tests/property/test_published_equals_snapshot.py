"""Whatever happens to a source between and during unloads, what each one publishes is what its snapshot showed."""

import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
import pytest
from changes import Change, changes, disturbances, writers
from hypothesis import HealthCheck, event, given, settings
from plain_unload import PlainUnload, cut_small
from published import published_rows, rows_under

from erp.server import EmbeddedServer
from flows.unload_erp import unload_erp
from tasks.manifest import latest_manifest
from tasks.storage import open_area


@dataclass(frozen=True)
class Unload:
    """An unload in whose course changes are made: each with the number of points of the run to let pass before it."""

    changes: tuple[tuple[int, Change], ...] = ()


UNLOADS = st.builds(Unload, st.lists(st.tuples(st.integers(0, 3), disturbances()), max_size=3).map(tuple))
HISTORIES = st.lists(changes() | changes() | changes() | UNLOADS, min_size=12, max_size=40)
EVERYDAY = settings(max_examples=20, derandomize=True)
CAMPAIGN = settings(max_examples=250)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_small(monkeypatch)


@settings(EVERYDAY, deadline=None, suppress_health_check=[*HealthCheck])
@given(history=HISTORIES)
def test_published_content_is_the_snapshots(postgres: EmbeddedServer, history: list[Change | Unload]) -> None:
    check(postgres.dsn("postgres"), history)


@pytest.mark.campaign
@settings(CAMPAIGN, deadline=None, suppress_health_check=[*HealthCheck])
@given(history=HISTORIES)
def test_published_content_is_the_snapshots_in_long(postgres: EmbeddedServer, history: list[Change | Unload]) -> None:
    check(postgres.dsn("postgres"), history)


@settings(max_examples=4, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck])
@given(history=HISTORIES)
def test_flow_publishes_what_the_source_shows(
    postgres: EmbeddedServer, prefect_server: str, history: list[Change | Unload]
) -> None:
    """The same histories through the whole flow, with nothing in the middle of its runs."""
    dsn, schema = postgres.dsn("postgres"), f"s{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder, writers(dsn, schema) as session:
        area = open_area(folder)
        for step in [*history, Unload()]:
            if isinstance(step, Change):
                session.make(step)
                continue
            unload_erp(source=dsn, source_schema=schema, storage=folder, source_name="property")
            manifest = latest_manifest(area)
            assert manifest is not None
            assert published_rows(area, manifest) == rows_under(dsn, schema)


def check(dsn: str, history: list[Change | Unload]) -> None:
    schema = f"s{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder, writers(dsn, schema) as session:
        unload = PlainUnload(dsn=dsn, schema=schema, folder=Path(folder))

        def run(disturbances: Unload) -> None:
            pending = list(disturbances.changes)
            points = 0

            def disturb() -> None:
                nonlocal points
                while pending and points >= pending[0][0]:
                    points = 0
                    event(session.make(pending.pop(0)[1]))
                points += 1

            published, truth = unload.run(disturb)
            assert published == truth

        for step in [*history, Unload()]:
            if isinstance(step, Unload):
                run(step)
            else:
                event(session.make(step))
        event("hits" if unload.hits else "no hits")
        event("replans" if unload.replans else "no replans")
