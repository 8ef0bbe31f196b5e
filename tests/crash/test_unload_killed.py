"""An unload is killed at a named point; the next run goes on where it broke, and ends as if nothing had happened."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from runs import area_after, assert_manifests_whole, assert_same, fill, receipts, run, run_killed

from erp.server import EmbeddedServer
from tasks.manifest import list_manifests
from tasks.storage import PARTIAL, FolderArea

pytestmark = pytest.mark.usefixtures("prefect_server")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A source that nobody changes; where its areas lie in their turn; and one that an undisturbed run has filled."""

    dsn: str
    staging: Path
    undisturbed: dict[str, FolderArea]


@pytest.fixture(scope="module")
def scene(postgres: EmbeddedServer, prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    postgres.create_database("crash")
    dsn = postgres.dsn("crash")
    fill(dsn)
    folder = tmp_path_factory.mktemp("crash")
    undisturbed = {}
    for schema, blocks in (("small", "4"), ("big", "2048")):
        # An area's place is part of its keys: every run writes to the same place, and is moved away.
        run(dsn, schema, folder / "staging", "--chunk-blocks", blocks)
        (folder / "staging").rename(folder / schema)
        undisturbed[schema] = FolderArea(root=folder / schema)
    return Scene(dsn=dsn, staging=folder / "staging", undisturbed=undisturbed)


@pytest.mark.parametrize(
    ("points", "finished", "published"),
    [
        pytest.param([("before-the-salt", 1), ("after-the-salt", 1), ("planning", 1)], 0, 0, id="planning"),
        pytest.param([("before-write", 3), ("after-write", 3)], 1, 0, id="writing"),
        pytest.param([("before-record", 3), ("in-record", 3), ("after-record", 9)], 9, 0, id="recording"),
        pytest.param([("before-manifest", 1)], 21, 0, id="publishing"),
        pytest.param([("before-latest", 1), ("after-latest", 1)], 21, 2, id="pointing"),
    ],
)
def test_run_goes_on_where_others_were_killed(
    scene: Scene, points: list[tuple[str, int]], finished: int, published: int
) -> None:
    """Runs are killed one after the other; `finished` chunks at least then have receipts."""
    undisturbed = scene.undisturbed["small"]
    shutil.rmtree(scene.staging, ignore_errors=True)
    area = area_after(undisturbed.root, scene.staging)
    if points[0][0] == "before-the-salt":
        shutil.rmtree(scene.staging / "salts")
    kept: dict[str, int] = {}
    for point, nth in points:
        run_killed(scene.dsn, "small", scene.staging, "--at", point, "--nth", str(nth))
        assert_manifests_whole(area)
        for receipt in receipts(scene.staging).values():
            file = (scene.staging / receipt.path).stat()
            assert file.st_size == receipt.bytes
            assert kept.setdefault(receipt.key, file.st_ino) == file.st_ino, "a finished chunk was written again"
    assert len(kept) >= finished
    assert len([*list_manifests(area)]) == published

    again = run(scene.dsn, "small", scene.staging)
    assert again.chunks_cached == len(kept)
    assert again.chunks_run == len(receipts(undisturbed.root)) - len(kept)
    assert [*(scene.staging / PARTIAL).iterdir()] == []
    if points[0][0] == "before-the-salt":
        assert_manifests_whole(area)  # its keys are of another salt
    else:
        assert_same(area, undisturbed)


def test_run_killed_while_a_file_grows_leaves_no_such_file(scene: Scene) -> None:
    shutil.rmtree(scene.staging, ignore_errors=True)
    area = area_after(scene.undisturbed["big"].root, scene.staging)
    run_killed(scene.dsn, "big", scene.staging, "--at", "in-write", "--nth", "1", "--chunk-blocks", "2048")
    left = [path.stat().st_size for path in (scene.staging / PARTIAL).rglob("*.parquet")]
    assert max(left) >= 100_000
    assert [*area.list("data")] == []
    assert [*area.list("manifests")] == []
    run(scene.dsn, "big", scene.staging, "--chunk-blocks", "2048")
    assert [*(scene.staging / PARTIAL).iterdir()] == []
    assert_same(area, scene.undisturbed["big"])
