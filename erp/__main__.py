"""The command `python -m erp`: generate the demonstration ERP, load it into a PostgreSQL, run the embedded one."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg

from erp.errors import ErpError
from erp.generator import generate
from erp.home import Home
from erp.loader import load
from erp.origin import LARGEST_SCALE, SMALLEST_SCALE, Recipe

DEFAULT_SEED = 42
CHECKOUT = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when done, 1 when it failed (2, usage, is argparse's). Results go to stdout."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except ErpError as error:
        return _fail(str(error))
    except psycopg.Error as error:
        return _fail(f"PostgreSQL said: {str(error).strip()}")
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}; mend that, or choose another folder, and run again")
    except KeyboardInterrupt:
        return _fail("interrupted; run again to go on")
    return 0


def _run(options: argparse.Namespace) -> None:
    match options.command:
        case "generate":
            generate(_recipe(options), options.out, report)
        case "load":
            load(options.dsn, options.folder, report, replace=options.replace)
        case "up":
            _say(Home(options.home, port=options.port).up(_recipe(options), report, stop=options.stop))
        case "start":
            _say(Home(options.home, port=options.port).start())
        case "stop":
            Home(options.home).server.stop()
        case "status":
            _say("running" if Home(options.home).server.is_running() else "stopped")
        case "remove":
            Home(options.home).remove()


def report(what: str, rows: int, seconds: float) -> None:
    """Show progress: one line on stderr."""
    count = f"{rows:,} rows" if rows else ""
    sys.stderr.write(f"{what:<23} {count:>16} {seconds:>7.1f} s\n")


def _say(result: str) -> None:
    sys.stdout.write(f"{result}\n")


def _fail(message: str) -> int:
    sys.stderr.write(f"erp: {message}\n")
    return 1


def _recipe(options: argparse.Namespace) -> Recipe:
    return Recipe(scale=options.scale, seed=options.seed)


def _scale(text: str) -> float:
    try:
        return Recipe(scale=float(text), seed=0).scale
    except (ValueError, ErpError):
        hint = f"choose a number from {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}"
        raise argparse.ArgumentTypeError(f"{text!r} is no scale; {hint} (1 is 10,000 students)") from None


def _seed(text: str) -> int:
    try:
        return Recipe(scale=1.0, seed=int(text)).seed
    except (ValueError, ErpError):
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; choose a whole number from 0 on") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1024 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; choose one from 1024 to 65535")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m erp", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    recipe = argparse.ArgumentParser(add_help=False)
    recipe.add_argument("--scale", type=_scale, default=1.0, help="size; 1 is 10,000 students (default: 1)")
    recipe.add_argument(
        "--seed", type=_seed, default=DEFAULT_SEED, help="other data, same truth (default: %(default)s)"
    )
    home = argparse.ArgumentParser(add_help=False)
    default_home = Path(os.environ.get("REPRISE_HOME") or CHECKOUT / ".reprise")
    home.add_argument("--home", type=Path, default=default_home, help="folder of all that is written (%(default)s)")
    port = argparse.ArgumentParser(add_help=False)
    port.add_argument("--port", type=_port, help="let the reader connect by TCP on 127.0.0.1, too")

    up = commands.add_parser("up", parents=[recipe, home, port], help="generate, start and load what is not there yet")
    up.add_argument("--stop", action="store_true", help="stop the server afterwards")
    command = commands.add_parser("generate", parents=[recipe], help="write the ERP as CSV, with truth.json")
    command.add_argument("--out", type=Path, required=True, help="an empty folder, or one generated before")
    command = commands.add_parser("load", help="fill a PostgreSQL database (14 or newer) from generated CSV")
    command.add_argument("--dsn", required=True, help="libpq connection string or URI")
    command.add_argument("--from", dest="folder", type=Path, required=True, help="the folder that was generated")
    command.add_argument("--replace", action="store_true", help="drop a schema erp that is there")
    commands.add_parser("start", parents=[home, port], help="start the embedded server")
    commands.add_parser("stop", parents=[home], help="stop the embedded server")
    commands.add_parser("status", parents=[home], help="say whether the embedded server is running or stopped")
    commands.add_parser("remove", parents=[home], help="stop the embedded server and delete its data and CSV")
    return parser


if __name__ == "__main__":
    sys.exit(main())
