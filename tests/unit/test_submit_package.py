import io
import os
import zipfile
from pathlib import Path

from tasks.spark_job import zip_packages


def make_package(folder: Path, text: str = "x = 1\n") -> Path:
    package = folder / "shipped"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "module.py").write_text(text)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "module.cpython-311.pyc").write_bytes(b"\x00")
    return package


def test_equal_packages_give_equal_bytes_wherever_and_whenever_they_were_written(tmp_path: Path) -> None:
    one, two = make_package(tmp_path / "one"), make_package(tmp_path / "two")
    os.utime(two / "__init__.py", (0, 0))
    (two / "__init__.py").chmod(0o600)
    assert zip_packages((one,)) == zip_packages((two,))
    assert zip_packages((one,)) != zip_packages((make_package(tmp_path / "three", "x = 2\n"),))


def test_the_zip_holds_the_packages_python_files_under_its_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(zip_packages((make_package(tmp_path),)))) as archive:
        assert archive.namelist() == ["shipped/__init__.py", "shipped/inner/module.py"]
