"""A multipart upload that is killed leaves no object; the next run ends as if nothing had happened."""

import pytest
from runs import content, fill, newest, run, run_killed

from tasks.manifest import list_manifests
from tasks.storage import S3Area, open_area, read_bytes

pytestmark = [pytest.mark.campaign, pytest.mark.usefixtures("prefect_server")]

ONE_LARGE_CHUNK = ("--chunk-blocks", "2048")  # more than 8 MB, which is more than one part


def empty_but_salts(area: S3Area) -> None:
    for path in [*area.list("data"), *area.list("receipts"), *area.list("manifests"), *area.list("latest")]:
        area.client.delete_object(Bucket=area.bucket, Key=f"{area.prefix}/{path}")


def test_upload_killed_between_parts_leaves_no_object(database: str, moto_s3: str) -> None:
    fill(database)
    storage = f"{moto_s3}/staging"
    area = open_area(storage)
    assert isinstance(area, S3Area)
    run(database, "big", storage, *ONE_LARGE_CHUNK)
    undisturbed = content(area)
    (table,) = newest(area).tables
    files = {chunk.path: read_bytes(area, chunk.path) for chunk in table.chunks}
    largest = max(table.chunks, key=lambda chunk: chunk.bytes)
    empty_but_salts(area)

    for point, nth in (("before-part", "2"), ("before-completion", "1")):
        run_killed(database, "big", storage, "--at", point, "--nth", nth, *ONE_LARGE_CHUNK)
        assert area.size(largest.path) is None
        assert [*list_manifests(area)] == []

    run(database, "big", storage, *ONE_LARGE_CHUNK)
    assert content(area) == undisturbed
    assert {path: read_bytes(area, path) for path in files} == files
