"""The commands that the README shows, for tests that run them."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def commands_of_readme(containing: str) -> str:
    """The one code block of the README that contains the text."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (CHECKOUT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if containing in block]
    return str(block)


def run_in_shell(script: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script as somebody at a shell in the checkout would; it stops at the first command that fails."""
    path = f"{CHECKOUT / '.venv' / 'bin'}:{environment['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(
        command, env={**environment, "PATH": path}, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
