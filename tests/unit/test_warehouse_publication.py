from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tasks.storage import StorageArea, open_area
from tasks.warehouse.publication import (
    LATEST,
    Publication,
    PublicationBroken,
    latest_publication,
    publication_path,
    publish,
    read_publication,
    snapshot_date,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def area(tmp_path: Path) -> StorageArea:
    return open_area(str(tmp_path))


def snapshot(at: datetime) -> Publication:
    return Publication(snapshot_date=snapshot_date(at), snapshot_at=at, manifest=f"m-{at:%d-%H}", tables=())


def test_nothing_is_published_at_first(area: StorageArea) -> None:
    assert latest_publication(area) is None
    assert read_publication(area, NOON.date()) is None


def test_a_snapshots_date_is_its_day_in_utc() -> None:
    assert snapshot_date(datetime(2026, 11, 21, 0, 30, tzinfo=timezone(HOUR))) == date(2026, 11, 20)


def test_what_was_published_is_read_back_and_publishing_again_changes_no_byte(
    area: StorageArea, tmp_path: Path
) -> None:
    assert publish(area, snapshot(NOON)) == snapshot(NOON)
    records = [tmp_path / publication_path(NOON.date()), tmp_path / LATEST]
    before = [record.read_bytes() for record in records]
    publish(area, snapshot(NOON))
    assert [record.read_bytes() for record in records] == before
    assert latest_publication(area) == read_publication(area, NOON.date()) == snapshot(NOON)


def test_a_later_snapshot_of_the_day_replaces_it_and_an_earlier_one_does_not(area: StorageArea) -> None:
    publish(area, snapshot(NOON))
    assert publish(area, snapshot(NOON + HOUR)) == snapshot(NOON + HOUR)
    assert publish(area, snapshot(NOON)) == snapshot(NOON + HOUR)
    assert latest_publication(area) == snapshot(NOON + HOUR)


def test_an_older_days_snapshot_is_published_and_the_latest_stays(area: StorageArea) -> None:
    publish(area, snapshot(NOON))
    publish(area, snapshot(NOON - DAY))
    assert read_publication(area, (NOON - DAY).date()) == snapshot(NOON - DAY)
    assert latest_publication(area) == snapshot(NOON)


def test_a_pointer_that_was_never_moved_is_moved_by_any_later_run(area: StorageArea, tmp_path: Path) -> None:
    publish(area, snapshot(NOON))
    (tmp_path / LATEST).unlink()
    publish(area, snapshot(NOON - HOUR))
    assert latest_publication(area) == snapshot(NOON)


def test_a_record_that_cannot_be_read_is_named_with_the_remedy(area: StorageArea, tmp_path: Path) -> None:
    publish(area, snapshot(NOON))
    (tmp_path / publication_path(NOON.date())).write_text("{")
    with pytest.raises(PublicationBroken, match=r"2026-11-20\.json is not a record of format 1: remove it"):
        publish(area, snapshot(NOON))
