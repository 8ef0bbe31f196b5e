"""The `reprise` command. Thin: it parses, calls the functions of flows, tasks and deployments, and says what happened.

Exit codes: 0 done, 1 failed, 2 usage. What the commands need is imported when they run, so that `--help` is instant.
"""

import sys

import typer

from console import manifest, run, stack, unload
from console.output import say

INTERRUPTED = 130  # how typer ends after Ctrl-C

app = typer.Typer(
    name="reprise",
    help="Unload a PostgreSQL database so that what broke goes on where it broke, and only what changed is read.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("status")(stack.status)
app.command("unload")(unload.unload)
app.add_typer(manifest.app, name="manifest")


def main() -> None:
    """Run the command line of this process, and end the process with its exit code."""
    try:
        app()
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        say("reprise: interrupted; what was finished is kept, run the same command again to go on")
        sys.exit(1)
    except Exception as error:
        if not is_explained(error):
            raise
        say(f"reprise: {explanation(error)}")
        sys.exit(1)


def is_explained(error: Exception) -> bool:
    """Whether the message alone says what is the matter; anything else is a fault of ours and shows its traceback."""
    from erp.errors import ErpError
    from tasks.errors import RepriseError

    return isinstance(error, RepriseError | ErpError | OSError)


def explanation(error: Exception) -> str:
    """The message for the screen; an error of the operating system gets its file named."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; mend that and run the same command again"
    return str(error)
