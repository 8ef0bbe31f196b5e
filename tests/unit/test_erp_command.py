"""The command `python -m erp`: what it refuses, and how."""

from pathlib import Path

import pytest

from erp.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--scale", "abc"], "'abc' is no scale; choose a number from 0.01 to 100"),
        (["up", "--scale", "0"], "'0' is no scale"),
        (["up", "--scale", "-1"], "'-1' is no scale"),
        (["up", "--scale", "1e9"], "'1e9' is no scale"),
        (["generate", "--seed", "1.5", "--out", "x"], "'1.5' is no seed; choose a whole number"),
        (["start", "--port", "80"], "'80' is no port; choose one from 1024 to 65535"),
        (["load", "--dsn", "host=x"], "required: --from"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_is_right(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_generate_reports_rows_on_stderr_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--scale", "0.01", "--out", str(tmp_path / "csv")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "wrote campuses                   30 rows" in captured.err


def test_folder_that_cannot_be_made_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["generate", "--out", str(tmp_path / "file" / "csv")]) == 1
    message = capsys.readouterr().err
    assert message.startswith("erp: Not a directory (")
    assert "choose another folder" in message


def test_server_that_does_not_answer_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--scale", "0.01", "--out", str(tmp_path)]) == 0
    assert main(["load", "--dsn", f"host={tmp_path} dbname=erp", "--from", str(tmp_path)]) == 1
    assert "erp: the ERP was not loaded and the database is as it was" in capsys.readouterr().err


def test_status_of_a_home_that_was_never_started_is_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--home", str(tmp_path)]) == 0
    assert main(["stop", "--home", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "stopped\n"
