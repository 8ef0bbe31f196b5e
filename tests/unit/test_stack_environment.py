import os
import sys
import tempfile
from pathlib import Path

import pytest

from deployments.environment import isolated_environment
from deployments.errors import TemporaryFolderForeign

CLOUD = {
    "PREFECT_API_URL": "https://api.prefect.cloud/api/accounts/1/workspaces/2",
    "PREFECT_API_KEY": "pnu_secret",
    "PREFECT_PROFILE": "work",
    "PREFECT_HOME": "/home/somebody/.prefect",
    "LANG": "fr_FR.UTF-8",
}


def isolated(caller: dict[str, str], api_url: str | None = None) -> dict[str, str]:
    return isolated_environment(caller, home=Path("/h"), prefect_home=Path("/h/prefect"), api_url=api_url)


def test_no_prefect_setting_of_the_caller_gets_through() -> None:
    environment = isolated(CLOUD, api_url="http://127.0.0.1:4242/api")
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4242/api"
    assert environment["PREFECT_HOME"] == "/h/prefect"
    assert environment["PREFECT_PROFILES_PATH"] == "/h/prefect/profiles.toml"
    assert "PREFECT_API_KEY" not in environment
    assert "PREFECT_PROFILE" not in environment
    assert environment["LANG"] == "fr_FR.UTF-8"


def test_the_server_itself_gets_no_api_address() -> None:
    assert "PREFECT_API_URL" not in isolated(CLOUD)


def test_nothing_is_reported_to_anybody() -> None:
    environment = isolated({"PREFECT_SERVER_ANALYTICS_ENABLED": "true"})
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"


def test_a_proxy_is_not_asked_for_this_machine() -> None:
    environment = isolated({"HTTP_PROXY": "http://proxy.example:3128", "no_proxy": "intranet.example"})
    assert environment["HTTP_PROXY"] == "http://proxy.example:3128"
    assert environment["NO_PROXY"] == environment["no_proxy"] == "intranet.example,127.0.0.1,localhost"


def test_programs_of_the_virtual_environment_come_first() -> None:
    path = isolated({"PATH": "/usr/bin"})["PATH"].split(os.pathsep)
    assert path == [str(Path(sys.executable).parent), "/usr/bin"]


def test_temporary_files_lie_in_a_folder_of_the_user_s_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = Path(isolated({})["TMPDIR"])
    assert folder == tmp_path / f"reprise-tmp-{os.geteuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert isolated({})["TMPDIR"] == str(folder)


def test_a_temporary_folder_that_leads_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"reprise-tmp-{os.geteuid()}").symlink_to("elsewhere")
    with pytest.raises(TemporaryFolderForeign, match="belongs to somebody else; have it removed"):
        isolated({})
