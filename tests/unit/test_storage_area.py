"""A storage area, on a folder and on S3 alike: objects appear whole, and a path is a path."""

from pathlib import Path

import pytest

from tasks.errors import StorageRefused
from tasks.storage import FolderArea, S3Area, StorageArea, open_area, read_bytes, scratch_of


@pytest.fixture(params=["folder", "s3", "bare bucket"])
def area(request: pytest.FixtureRequest, tmp_path: Path) -> StorageArea:
    if request.param == "folder":
        return open_area(str(tmp_path / "été 1"))
    bucket: str = request.getfixturevalue("moto_s3")
    return open_area(f"{bucket}/some/été 1/" if request.param == "s3" else bucket)


def test_what_was_put_is_there(area: StorageArea) -> None:
    assert area.put("a/b.json", b"{}")
    assert read_bytes(area, "a/b.json") == b"{}"
    assert area.size("a/b.json") == 2
    area.put("a/b.json", b"")
    assert area.size("a/b.json") == 0


def test_what_was_not_put_is_not_there(area: StorageArea) -> None:
    area.put("a", b"")
    assert area.size("none") is None
    assert area.size("none/below") is None
    assert area.size("a/below") is None
    with pytest.raises(FileNotFoundError):
        area.open("none")
    assert list(area.list("none")) == []


def test_only_the_first_put_counts_when_asked_so(area: StorageArea) -> None:
    assert area.put("salt", b"1", only_if_absent=True)
    assert not area.put("salt", b"2", only_if_absent=True)
    assert read_bytes(area, "salt") == b"1"


def test_a_file_is_moved_into_the_area(area: StorageArea) -> None:
    with scratch_of(area) as folder:
        for content in (b"first", b"second"):
            file = folder / "file"
            file.write_bytes(content)
            area.put_file(file, "data/x.parquet")
            assert not file.exists()
            assert read_bytes(area, "data/x.parquet") == content


def test_a_list_is_sorted_and_shows_nothing_unfinished(area: StorageArea) -> None:
    for path in ("m/2.json", "m/1.json", "m/deep/3.json", "m2/4.json"):
        area.put(path, b"x")
    with scratch_of(area) as folder:
        (folder / "half").write_bytes(b"x")
        assert list(area.list("m")) == ["m/1.json", "m/2.json", "m/deep/3.json"]


def test_an_area_is_called_by_its_uri(tmp_path: Path, moto_s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_area(str(tmp_path / "a b")).uri == f"file://{tmp_path}/a%20b"
    assert open_area("a").uri == f"file://{tmp_path}/a"
    assert open_area(f"file://{tmp_path}/a%20b").uri == f"file://{tmp_path}/a%20b"
    assert open_area(f"{moto_s3}/x/y/").uri == f"{moto_s3}/x/y"
    assert open_area(moto_s3).uri == moto_s3


def test_one_folder_has_one_uri(tmp_path: Path) -> None:
    assert open_area(f"{tmp_path}/a/../b/").uri == open_area(f"{tmp_path}/b").uri


@pytest.mark.parametrize("reference", ["", "http://host/a", "s3://", "s3:///prefix"])
def test_what_is_no_area_is_refused(reference: str) -> None:
    with pytest.raises(StorageRefused, match=r"give a folder|names no bucket"):
        open_area(reference)


def test_a_file_in_the_way_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    area = FolderArea(root=tmp_path / "file")
    with pytest.raises(StorageRefused, match="give a folder that this user may write"):
        area.put("a", b"x")


def test_a_bucket_that_does_not_exist_is_a_refusal(moto_s3: str) -> None:
    area = open_area(f"{moto_s3}-none/x")
    assert isinstance(area, S3Area)
    with pytest.raises(StorageRefused, match=r"NoSuchBucket.*check bucket, region and permissions"):
        area.put("a", b"x")
