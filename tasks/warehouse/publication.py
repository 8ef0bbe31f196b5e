"""Publications: which files are the warehouse on a date. What no publication names does not exist.

An area keeps `publications/<snapshot date>.json`, one for each date (UTC) of which a snapshot was built, and
`publications/latest.json`, which names the newest. The files that they list lie below `data/` and never change.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.errors import FatalError
from tasks.storage import StorageArea, read_bytes

FORMAT: Literal[1] = 1
PUBLICATIONS = "publications"
LATEST = f"{PUBLICATIONS}/latest.json"


class PublicationBroken(FatalError):
    """A publication is not what this version writes."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class DataFile(_Value):
    """One Parquet file: its path in the area, its size in bytes."""

    path: str
    bytes: int


class WarehouseTable(_Value):
    """A table of the warehouse: the folder of its files, relative to the area, and what is in there."""

    name: str
    folder: str
    rows: int
    bytes: int
    files: tuple[DataFile, ...]


class Publication(_Value):
    """The warehouse as one snapshot of the ERP gives it.

    snapshot_date: the snapshot's date, in UTC.
    snapshot_at:   its instant.
    manifest:      id of the manifest that it was built from.
    """

    format: Literal[1] = FORMAT
    snapshot_date: date
    snapshot_at: datetime
    manifest: str
    tables: tuple[WarehouseTable, ...]


class LatestPublication(_Value):
    """Points to the newest publication."""

    snapshot_date: date
    snapshot_at: datetime


def snapshot_date(snapshot_at: datetime) -> date:
    """The date under which a snapshot is published: its day in UTC."""
    return snapshot_at.astimezone(UTC).date()


def publication_path(day: date) -> str:
    """Where the publication of a date lies in its area."""
    return f"{PUBLICATIONS}/{day.isoformat()}.json"


def publish(area: StorageArea, publication: Publication) -> Publication:
    """Make it the publication of its date, then let `latest` point to it; safe to repeat.

    Neither goes back in time: a later snapshot that was published stays, for its date and as the latest.
    Returns what stands for the date now. Raises StorageRefused, StorageUnavailable, PublicationBroken.
    """
    standing = read_publication(area, publication.snapshot_date)
    if standing is None or standing.snapshot_at <= publication.snapshot_at:
        area.put(publication_path(publication.snapshot_date), publication.model_dump_json(indent=1).encode())
        standing = publication
    latest = _read(area, LATEST, LatestPublication.model_validate_json)
    if latest is None or latest.snapshot_at <= standing.snapshot_at:
        pointer = LatestPublication(snapshot_date=standing.snapshot_date, snapshot_at=standing.snapshot_at)
        area.put(LATEST, pointer.model_dump_json(indent=1).encode())
    return standing


def read_publication(area: StorageArea, day: date) -> Publication | None:
    """The publication of a date; None when there is none. Raises PublicationBroken."""
    return _read(area, publication_path(day), Publication.model_validate_json)


def latest_publication(area: StorageArea) -> Publication | None:
    """The newest publication; None when nothing was published. Raises PublicationBroken."""
    latest = _read(area, LATEST, LatestPublication.model_validate_json)
    return None if latest is None else read_publication(area, latest.snapshot_date)


T = TypeVar("T")


def _read(area: StorageArea, path: str, parse: Callable[[bytes], T]) -> T | None:
    try:
        return parse(read_bytes(area, path))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise PublicationBroken(
            f"{area.uri}/{path} is not a record of format {FORMAT}: remove it, then run again\n{error}"
        ) from error
