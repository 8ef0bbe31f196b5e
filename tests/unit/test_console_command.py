import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.output import columns, following
from console.stack import shell_code

REPRISE = Path(sys.executable).with_name("reprise")


def reprise(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REPRISE_HOME": str(home)}
    return subprocess.run([REPRISE, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("unload",),
        ("unload", "--source", "x", "--schema", "y", "--storage", "z", "--workers", "0"),
        ("manifest", "show"),
        ("up", "--no-such-option"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_how_to_get_help(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = reprise(*arguments, home=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "--help" in done.stderr


def test_help_imports_nothing_heavy() -> None:
    heavy = {"prefect", "pydantic", "duckdb", "pyarrow", "psutil", "sqlalchemy"}
    code = f"import sys, console.main; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_status_of_nothing_names_the_command_that_starts_it(tmp_path: Path) -> None:
    done = reprise("status", home=tmp_path)
    assert done.returncode == 1
    assert [line.split()[-2] for line in done.stdout.splitlines()[1:]] == ["down", "down", "down"]
    assert "reprise up" in done.stderr


def test_a_shell_that_evaluates_the_environment_of_nothing_fails(tmp_path: Path) -> None:
    done = reprise("status", "--env", home=tmp_path)
    assert (done.returncode, done.stdout) == (1, "false\n")
    assert "reprise up" in done.stderr


def test_a_shell_forgets_the_prefect_settings_that_are_not_of_the_stack() -> None:
    caller = {"LANG": "fr", "PREFECT_PROFILE": "cloud", "PREFECT_API_KEY": "pnu_secret", "PREFECT_HOME": "/h/.prefect"}
    wanted = {"LANG": "fr", "PREFECT_HOME": "/chez élève", "REPRISE_OWNER": "/h", "TMPDIR": "/tmp/reprise-tmp-1"}
    assert shell_code(caller, wanted).splitlines() == [
        "unset PREFECT_API_KEY",
        "unset PREFECT_PROFILE",
        "export PREFECT_HOME='/chez élève'",
    ]


def test_down_of_nothing_is_no_error(tmp_path: Path) -> None:
    done = reprise("down", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "nothing was running\n")


def test_an_area_without_manifests_is_a_message_and_no_traceback(tmp_path: Path) -> None:
    done = reprise("manifest", "verify", "--storage", str(tmp_path / "empty"), home=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"reprise: {(tmp_path / 'empty').as_uri()} holds no manifest")
    assert "Traceback" not in done.stderr


def test_a_broken_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "m.json").write_text(json.dumps({"format": 99}))
    done = reprise("manifest", "show", "m", "--storage", str(tmp_path), home=tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path.as_uri()}/manifests/m.json is not a manifest of format 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_the_operating_system_s_complaint_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = reprise("up", home=tmp_path / "file")
    assert done.returncode == 1
    assert done.stderr.startswith(f"reprise: {tmp_path / 'file' / 'stack'}: Not a directory")


def test_numbers_stand_to_the_right_of_a_table() -> None:
    assert columns(("table", "rows"), [("erp.grades", 585_000), ("erp.x", 3)]).splitlines() == [
        "table          rows",
        "erp.grades  585,000",
        "erp.x             3",
    ]


def test_what_is_added_to_a_log_is_said_while_it_is_followed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "worker.log"
    log.write_text("of an earlier run\n")
    with following(log), log.open("a") as stream:
        stream.write("erp.grades: 1 of 2 chunks\n")
        stream.flush()
    assert capfd.readouterr().err == "erp.grades: 1 of 2 chunks\n"
