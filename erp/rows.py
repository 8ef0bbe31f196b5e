"""The rows of the small tables, and how names become e-mail addresses."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from erp.careers import CONTRACTS, Companies, Hires
from erp.draws import Bools, Days, Ints, stream, weighted
from erp.intake import COST_EUR, KINDS, Events, event_names, event_times
from erp.model import MODEL
from erp.people import Students
from erp.reference import Names, Reference
from erp.school import School
from erp.staff import Professors
from erp.studies import Progress
from erp.tables import date_or_null, digits, joined, number_or_null, pick, text_or_null
from erp.times import END, MINUTES_A_DAY, NEVER, academic_year, at_office_hours, day, paris_to_utc

# All below .example, which is nobody's: an address made here must not reach anybody.
DOMAINS = np.array(
    ["gmail.example", "orange.example", "free.example", "laposte.example", "outlook.example"], dtype=object
)
PROMOTIONS = np.array(["BENG1", "BENG2", "BSC", "MSC1", "MSC2"], dtype=object)
GENDERS = np.array(["F", "M", "X"], dtype=object)
REASONS = np.array(
    ["graduated", "academic", "financial", "relocation", "competitor", "hired_early", "other"], dtype=object
)
REASON_WEIGHT = np.array([0.0, 30.0, 18.0, 10.0, 22.0, 8.0, 12.0])  # of those who drop out
GRADUATED, COMPETITOR = 0, 4
SIZE_CLASSES = np.array(["TPE", "PME", "ETI", "GE"], dtype=object)
OPENING = np.datetime64("2016-08-15T08:00:00", "s")  # when the lists that never changed were entered


def personal_email(names: Names, first_name: Ints, last_name: Ints, number: Ints) -> Any:
    """Addresses that no two people share: students have even numbers, other contacts odd ones."""
    domain = pick(DOMAINS, number // 2 % len(DOMAINS))
    return joined(
        pick(names.first_slug, first_name), ".", pick(names.last_slug, last_name), digits(number), "@", domain
    )


def phone(rng: np.random.Generator, size: int) -> Any:
    """Numbers of the block that the French regulator keeps for fiction."""
    return joined("+33 6 39 98 ", *_two_digits(rng, size), " ", *_two_digits(rng, size))


def _two_digits(rng: np.random.Generator, size: int) -> tuple[Any, Any]:
    return digits(rng.integers(0, 10, size)), digits(rng.integers(0, 10, size))


def campus_rows(reference: Reference, scale: float) -> dict[str, Any]:
    """The thirty campuses; larger ERPs have larger ones."""
    rows = reference.campuses.rows
    city = np.array([row["city"] for row in rows], dtype=object)
    capacity = np.array([float(row["capacity"]) for row in rows])
    return {
        "id": np.arange(len(rows)) + 1,
        "name": pa.array("Campus de " + city),
        "city": pa.array(city),
        "department_code": pa.array([row["department_code"] for row in rows]),
        "region_code": pa.array([row["region_code"] for row in rows]),
        "region": pick(reference.region_names, reference.campuses.region),
        "capacity": np.maximum(np.rint(capacity * scale), 20).astype(np.int64),
        "opened_on": np.array([row["opened_on"] for row in rows], dtype="datetime64[D]"),
        "closed_on": pa.nulls(len(rows), pa.date32()),
        "monthly_rent_eur": pa.array(
            [float(row["monthly_rent_eur"]) if row["monthly_rent_eur"] else None for row in rows]
        ),
        "competitor_schools": reference.campuses.competitors,
        "catchment_bac_holders": reference.campuses.bac_holders,
        "updated_at": np.full(len(rows), OPENING),
    }


def subject_rows(reference: Reference) -> dict[str, Any]:
    """The twelve subjects of each level."""
    rows = reference.subjects
    return {
        "id": pa.array([row["id"] for row in rows]),
        "name": pa.array([row["name"] for row in rows]),
        "level": np.array([int(row["id"][0]) for row in rows]),
        "ects": np.array([int(row["ects"]) for row in rows]),
        "updated_at": np.full(len(rows), OPENING),
    }


def company_rows(seed: int, reference: Reference, companies: Companies) -> dict[str, Any]:
    """Companies in order of their ids."""
    rng, size = stream(seed, "company rows"), len(companies)
    order = np.argsort(companies.ids)
    sectors = reference.sectors
    sector = weighted(rng, np.array([float(row["weight"]) for row in sectors]), size)
    words = np.array([row["word"] for row in sectors], dtype=object)
    family = weighted(rng, reference.names.last_weight, size)
    since = companies.partner_since[order]
    known = np.where(since == NEVER, day(2016, 9, 1), np.maximum(since, day(2016, 9, 1)))
    return {
        "id": companies.ids[order],
        "name": joined(pick(reference.names.last, family), " ", pick(words, sector)),
        "siren": text_or_null(_sirens(rng, size), rng.random(size) < 0.1),
        "naf_code": text_or_null(
            pick(np.array([row["naf_code"] for row in sectors], dtype=object), sector), rng.random(size) < 0.05
        ),
        "sector": pick(np.array([row["sector"] for row in sectors], dtype=object), sector),
        "size_class": pick(SIZE_CLASSES, weighted(rng, np.array([30.0, 45.0, 17.0, 8.0]), size)),
        "region_code": pick(reference.region_codes, companies.region[order]),
        "partner_since": date_or_null(since),
        "updated_at": at_office_hours(rng, known),
    }


def _sirens(rng: np.random.Generator, size: int) -> Any:
    """Nine digits each, all different; the check digit is wrong on purpose, so that none is a real company's number."""
    stem = rng.choice(90_000_000, size, replace=False) + 10_000_000
    digit = stem[:, None] // 10 ** np.arange(8) % 10
    doubled = digit[:, ::2] * 2  # the digits beside the check digit, and every second one
    total = (doubled // 10 + doubled % 10).sum(axis=1) + digit[:, 1::2].sum(axis=1)
    return digits(stem * 10 + (10 - total % 10 + 1) % 10)


def professor_rows(seed: int, reference: Reference, professors: Professors) -> dict[str, Any]:
    """Professors in order of their ids."""
    rng, names = stream(seed, "professor rows"), reference.names
    number = np.arange(len(professors)) + 1
    first, last = pick(names.first_slug, professors.first_name), pick(names.last_slug, professors.last_name)
    return {
        "id": number,
        "first_name": pick(names.first, professors.first_name),
        "last_name": pick(names.last, professors.last_name),
        "email": joined(first, ".", last, digits(number), "@prof.ecole.example"),
        "campus_id": professors.campus + 1,
        "status": pick(np.array(["external", "permanent"], dtype=object), professors.permanent.astype(np.int64)),
        "joined_on": professors.joined,
        "left_on": date_or_null(professors.left),
        "updated_at": at_office_hours(rng, np.where(professors.left == NEVER, professors.joined, professors.left)),
    }


def event_rows(seed: int, reference: Reference, events: Events) -> dict[str, Any]:
    """Events in order of their ids."""
    rng, size = stream(seed, "event rows"), len(events)
    start, lasts = event_times(events.kind)
    starts = paris_to_utc(events.day, start)
    end = start + lasts
    city = np.array([row["city"] for row in reference.campuses.rows], dtype=object)[events.campus]
    return {
        "id": np.arange(size) + 1,
        "kind": pick(KINDS, events.kind),
        "name": pa.array(event_names(events.kind, city)),
        "campus_id": events.campus + 1,
        "starts_at": starts,
        "ends_at": paris_to_utc(events.day + end // MINUTES_A_DAY, end % MINUTES_A_DAY),
        "cost_eur": np.round(COST_EUR[events.kind] * (0.6 + 0.8 * rng.random(size)), 2),
        "staff_count": number_or_null(rng.integers(2, 12, size), rng.random(size) < 0.05),
        "updated_at": starts - rng.integers(1, 60 * 86_400, size).astype("timedelta64[s]"),
    }


def student_rows(school: School, progress: Progress, hires: Hires) -> dict[str, Any]:
    """Students in order of their ids, as they stand at the end of the data."""
    reference, students, enrolments, left = school.reference, school.students, school.enrolments, progress.left
    rng, names, number = stream(school.seed, "student rows"), reference.names, np.arange(len(students)) + 1
    reason = np.where(
        left == NEVER, -1, np.where(progress.graduated, GRADUATED, weighted(rng, REASON_WEIGHT, len(students)))
    )
    named = (reason == COMPETITOR) & (rng.random(len(students)) >= MODEL.dirt.unnamed_school)
    next_school = weighted(rng, reference.competitor_share, len(students))
    hired_early = REASONS[reason] == "hired_early"
    hired_on = np.where(hired_early & (left != NEVER), left, hires.day)
    created = paris_to_utc(enrolments.day, enrolments.minute)
    changed = np.where(hired_on != NEVER, hired_on, left)
    changed_at = at_office_hours(rng, np.where(changed == NEVER, END, changed))
    return {
        "id": number,
        "first_name": pick(names.first, students.first_name),
        "last_name": pick(names.last, students.last_name),
        "email": _school_email(names, students, number),
        "personal_email": _own_email(rng, names, students, number, school.unlinked),
        "gender": text_or_null(pick(GENDERS, students.gender), rng.random(len(students)) < 0.01),
        "date_of_birth": students.born,
        "home_region_code": pick(reference.region_codes, students.home),
        "origin_institution": pick(reference.institutions, students.institution),
        "origin_diploma": pick(reference.diplomas, students.institution),
        "entry_level": students.entry_level,
        "campus_id": students.campus + 1,
        "promotion": pick(PROMOTIONS, _level_at_the_end(students, left) - 1),
        "join_date": students.join,
        "left_date": date_or_null(left),
        "left_reason": pick(REASONS, reason),
        "next_school": pick(reference.competitors, np.where(named, next_school, -1)),
        "hired_at": date_or_null(hired_on),
        "hired_company_id": number_or_null(school.companies.ids[hires.company], hires.company < 0),
        "hired_contract": pick(CONTRACTS, hires.contract),
        "created_at": created,
        "updated_at": np.where(changed == NEVER, created, np.maximum(created, changed_at)),
    }


def _level_at_the_end(students: Students, left: Days) -> Ints:
    last_year = academic_year(np.minimum(left, END - 1))
    reached = students.entry_level + last_year - students.join_year
    return np.asarray(np.minimum(np.maximum(reached, students.entry_level), students.exit_level))


def _school_email(names: Names, students: Students, number: Ints) -> Any:
    first, last = pick(names.first_slug, students.first_name), pick(names.last_slug, students.last_name)
    return joined(first, ".", last, digits(number), "@etu.ecole.example")


def _own_email(rng: np.random.Generator, names: Names, students: Students, number: Ints, unlinked: Bools) -> Any:
    email = personal_email(names, students.first_name, students.last_name, 2 * number)
    titled = pc.if_else(pa.array(rng.random(len(number)) < MODEL.dirt.mixed_case), pc.utf8_title(email), email)
    return text_or_null(titled, ~unlinked & (rng.random(len(number)) < MODEL.dirt.missing_email))
