"""What was published can be verified: every file is what its manifest says, or it is named."""

from pathlib import Path

import pytest
from unloading import execute, newest, unload

from tasks.storage import open_area
from tasks.verify import differences

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_a_flipped_byte_a_missing_and_a_shortened_file_are_named(database: str, tmp_path: Path) -> None:
    execute(database, *(f"CREATE TABLE {name} AS SELECT 1 AS id" for name in ("flipped", "missing", "short", "sound")))
    unload(database, tmp_path)
    area, manifest = open_area(str(tmp_path)), newest(tmp_path)
    assert list(differences(area, manifest)) == []
    paths = {table.name: tmp_path / table.chunks[0].path for table in manifest.tables}
    content = bytearray(paths["flipped"].read_bytes())
    content[len(content) // 2] ^= 1
    paths["flipped"].write_bytes(content)
    paths["missing"].unlink()
    paths["short"].write_bytes(paths["short"].read_bytes()[:-1])
    flipped, missing, short = differences(area, manifest)
    assert flipped.startswith(f"public.flipped: {paths['flipped'].as_uri()}: has sha256 ")
    assert missing == f"public.missing: {paths['missing'].as_uri()}: the file is missing"
    assert short.startswith(f"public.short: {paths['short'].as_uri()}: has ")
