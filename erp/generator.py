"""Makes a whole demonstration ERP as CSV files: the same bytes for the same scale and seed.

Memory holds the students, a few numbers each, the lessons of one academic year, and one block of rows.
"""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from erp import rows
from erp.careers import draw_hires
from erp.contacts import write_contacts
from erp.errors import ErpError
from erp.origin import TRUTH, Recipe, generator_version
from erp.school import School, draw_school
from erp.tables import TABLES, TableWriter
from erp.truth import truth
from erp.years import Writers, run_years

LINKS = "truth_links.csv"


def generate(recipe: Recipe, folder: Path, report: Callable[[str, int, float], None]) -> None:
    """Write <table>.csv for every table, truth_links.csv, and last truth.json, into an empty or a generated folder.

    Calls `report` with what is done, its rows and the seconds since the start: after each academic year with the
    attendances so far, and at the end for each table. Raises ErpError when something else lies
    in the folder. What was generated there before is deleted first; without truth.json the folder is unfinished.
    """
    _clear(folder)
    started = time.monotonic()

    def pass_year(year: int) -> None:
        report(f"simulated {year}-{year + 1}", writers["attendances"].rows, time.monotonic() - started)

    school = draw_school(recipe.scale, recipe.seed)
    with ExitStack() as stack:
        writers = {name: stack.enter_context(TableWriter(folder / f"{name}.csv")) for name in TABLES}
        links = stack.enter_context(TableWriter(folder / LINKS))
        facts = _write_all(school, writers, links, pass_year)
    for name in TABLES:
        report(f"wrote {name}", writers[name].rows, time.monotonic() - started)
    facts = {"generator": generator_version()} | facts
    text = json.dumps(facts, ensure_ascii=False, indent=2)
    (folder / TRUTH).write_text(text + "\n", encoding="utf-8")


def _write_all(
    school: School, writers: dict[str, TableWriter], links: TableWriter, pass_year: Callable[[int], None]
) -> dict[str, Any]:
    reference, seed = school.reference, school.seed
    writers["campuses"].write(rows.campus_rows(reference, school.scale))
    writers["subjects"].write(rows.subject_rows(reference))
    writers["companies"].write(rows.company_rows(seed, reference, school.companies))
    writers["professors"].write(rows.professor_rows(seed, reference, school.professors))
    writers["events"].write(rows.event_rows(seed, reference, school.events))
    progress = run_years(
        school,
        Writers(
            lessons=writers["lessons"],
            attendances=writers["attendances"],
            grades=writers["grades"],
            apprenticeships=writers["apprenticeships"],
        ),
        pass_year,
    )
    hires = draw_hires(
        seed, school.students, progress.graduated, progress.host, reference.campuses.region, school.companies
    )
    writers["students"].write(rows.student_rows(school, progress, hires))
    write_contacts(school, writers["audiences"], links)
    return truth(school, progress, hires, {name: writers[name].rows for name in TABLES})


def _clear(folder: Path) -> None:
    generated = {f"{name}.csv" for name in TABLES} | {LINKS, TRUTH}
    folder.mkdir(parents=True, exist_ok=True)
    others = sorted(path.name for path in folder.iterdir() if path.name not in generated)
    if others:
        raise ErpError(f"{folder} holds {others[0]!r}, which was not generated; name an empty folder")
    (folder / TRUTH).unlink(missing_ok=True)
    for path in folder.iterdir():
        path.unlink()
