"""Two runs of one unload at the same time, into one area: both end right."""

from pathlib import Path

import pytest
from published import published_rows, rows_under
from runs import fill, start, wait

from tasks.manifest import latest_manifest, list_manifests, read_manifest
from tasks.storage import PARTIAL, open_area

pytestmark = [pytest.mark.campaign, pytest.mark.usefixtures("prefect_server")]


def test_two_runs_at_once_both_publish_the_whole(database: str, tmp_path: Path) -> None:
    fill(database)
    storage = tmp_path / "staging"
    both = [start(database, "small", storage) for _ in range(2)]
    for ended in [wait(process) for process in both]:
        assert ended.code == 0, ended.log
        assert "Traceback" not in ended.log
    area = open_area(str(storage))
    names = [*list_manifests(area)]
    assert len(names) == 2
    for name in names:
        assert published_rows(area, read_manifest(area, name)) == rows_under(database, "small")
    latest = latest_manifest(area)
    assert latest is not None
    assert latest.id in names
    assert [*(storage / PARTIAL).iterdir()] == []
