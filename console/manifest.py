"""`reprise manifest ls|show|verify`: what was unloaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from console.output import columns, say
from console.stack import UseProfile

if TYPE_CHECKING:
    from tasks.manifest import Manifest
    from tasks.storage import StorageArea

app = typer.Typer(help="What was unloaded: list, show and verify manifests.", no_args_is_help=True)

Storage = Annotated[str, typer.Option(help="A folder, s3://bucket/prefix, or s3-bucket/<block name>.")]
ManifestId = Annotated[str | None, typer.Argument(metavar="[MANIFEST]", help="Its id; the newest one by default.")]


@app.command("ls")
def list_all(storage: Storage, use_profile: UseProfile = False) -> None:
    """List the manifests of a storage area, oldest first."""
    with _area(storage, use_profile=use_profile) as area:
        from tasks.manifest import list_manifests, read_manifest

        manifests = [read_manifest(area, name) for name in list_manifests(area)]
    rows = [(m.id, m.dataset, f"{m.snapshot_at:%Y-%m-%d %H:%M:%SZ}", len(m.tables), _rows(m)) for m in manifests]
    typer.echo(columns(("manifest", "dataset", "snapshot", "tables", "rows"), rows))


@app.command()
def show(storage: Storage, manifest: ManifestId = None, use_profile: UseProfile = False) -> None:
    """Print a manifest as it is stored (JSON)."""
    with _area(storage, use_profile=use_profile) as area:
        typer.echo(_read(area, manifest).model_dump_json(indent=1))


@app.command()
def verify(storage: Storage, manifest: ManifestId = None, use_profile: UseProfile = False) -> None:
    """Read every file of a manifest and compare its bytes, sha256 and rows; exit code 1 when one differs."""
    with _area(storage, use_profile=use_profile) as area:
        from tasks.verify import differences

        checked = _read(area, manifest)
        found = 0
        for difference in differences(area, checked):
            found += 1
            say(difference)
    files = sum(len(table.chunks) for table in checked.tables)
    typer.echo(f"{checked.id}: {files:,} files, {_rows(checked):,} rows, {found or 'no'} difference(s)")
    if found:
        say("delete the files that differ, then unload again: their chunks are read anew from the source")
        raise typer.Exit(1)


@contextmanager
def _area(storage: str, *, use_profile: bool) -> "Iterator[StorageArea]":
    """The storage area; a Prefect server is asked only where a block names it."""
    from console.connection import no_prefect_api, prefect_api, stack_folder

    folder, by_block = stack_folder(), storage.startswith("s3-bucket/")
    with prefect_api(folder, use_profile=use_profile) if by_block else no_prefect_api(folder):
        from tasks.storage import open_area

        yield open_area(storage)


def _read(area: "StorageArea", manifest: str | None) -> "Manifest":
    from tasks.errors import ManifestBroken
    from tasks.manifest import latest_manifest, read_manifest

    found = latest_manifest(area) if manifest is None else read_manifest(area, manifest)
    if found is None:
        raise ManifestBroken(f"{area.uri} holds no manifest; unload something into it: reprise unload --help")
    return found


def _rows(manifest: "Manifest") -> int:
    return sum(table.rows for table in manifest.tables)
