"""Audiences: the contacts collected at events, those who enrolled (with the planted dirt) and those who did not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from erp.draws import Bools, Days, Ints, stream
from erp.intake import event_times
from erp.model import MODEL
from erp.people import FEMALE_SHARE, draw_home_regions, draw_names
from erp.reference import Reference
from erp.rows import personal_email, phone
from erp.school import School
from erp.tables import TableWriter, date_or_null, instant_or_null, joined, number_or_null, pick, text_or_null
from erp.times import END, NEVER, at_office_hours, paris_to_utc

BLOCK = 1_000  # events written at once: bounds the memory
VISITORS = np.array([37.0, 42.0, 13.0])  # who do not enrol, by kind of event
APPLIES, ADMITTED_SHARE = 0.12, 0.4
CONTACTED_AGAIN = 0.7
NO_EMAIL, NO_NAME, NO_PHONE, NO_TARGET, NO_HOME = 0.04, 0.02, 0.25, 0.05, 0.06


@dataclass(frozen=True, kw_only=True)
class _Contacts:
    """Contacts of a block of events, one array a property. student is -1 for those who did not enrol."""

    event: Ints
    student: Ints
    first_name: Ints
    last_name: Ints
    home: Ints
    institution: Ints
    target_level: Ints
    collected: Days
    applied: Days
    admitted: Days
    again: Days
    linked: Bools

    def __len__(self) -> int:
        return len(self.event)


def write_contacts(school: School, contacts: TableWriter, links: TableWriter) -> None:
    """Write the contacts of all events, and which of them are which students."""
    events, enrolments = school.events, school.enrolments
    visitors = np.flatnonzero(enrolments.event >= 0)
    visitors = visitors[np.argsort(enrolments.event[visitors], kind="stable")]
    bounds = np.searchsorted(enrolments.event[visitors], np.arange(0, len(events) + BLOCK, BLOCK))
    for block, start in enumerate(range(0, len(events), BLOCK)):
        rng = stream(school.seed, "contacts", block)
        came = visitors[bounds[block] : bounds[block + 1]]
        shown = np.arange(start, min(start + BLOCK, len(events)))
        others = np.repeat(shown, rng.poisson(VISITORS[events.kind[shown]]))
        people = _draw(rng, school, came, others)
        first_id = contacts.rows + 1
        _write(rng, school.reference, people, first_id, contacts)
        converted = np.flatnonzero(people.student >= 0)
        student = people.student[converted]
        links.write(
            {
                "audience_id": first_id + converted,
                "student_id": student + 1,
                "event_id": people.event[converted] + 1,
                "has_student_id": people.linked[converted],
                "caused_by_event": enrolments.caused[student],
            }
        )


def _draw(rng: np.random.Generator, school: School, came: Ints, others: Ints) -> _Contacts:
    """Put the students who came and the others in one order, by event."""
    reference, events, enrolments, students = school.reference, school.events, school.enrolments, school.students
    event = np.concatenate([enrolments.event[came], others])
    order = np.lexsort((rng.random(len(event)), event))
    event = event[order]
    student = np.concatenate([came, np.full(len(others), -1)])[order]
    enrolled = student >= 0
    size = len(event)
    start, lasts = event_times(events.kind[event])
    first_name, last_name = draw_names(rng, reference.names, rng.random(size) < FEMALE_SHARE)
    home = draw_home_regions(rng, reference, events.campus[event])
    target = rng.integers(1, 6, size)
    likely = rng.random(size)
    held = events.day[event]
    signed = enrolments.day[student]
    applied = np.where(enrolled, _between(rng, held, signed), held + rng.integers(1, 60, size))
    applied = np.where((enrolled | (likely < APPLIES)) & (applied < END), applied, NEVER)
    admitted = np.where(enrolled, _between(rng, applied, signed), applied + rng.integers(1, 40, size))
    admitted = np.where((enrolled | (likely < APPLIES * ADMITTED_SHARE)) & (admitted < END), admitted, NEVER)
    again = np.where(enrolled, signed, held + rng.integers(1, 120, size))
    return _Contacts(
        event=event,
        student=student,
        first_name=np.where(enrolled, students.first_name[student], first_name),
        last_name=np.where(enrolled, students.last_name[student], last_name),
        home=np.where(enrolled, students.home[student], np.where(rng.random(size) < NO_HOME, -1, home)),
        institution=np.where(enrolled, students.institution[student], _institution(rng, reference, target)),
        target_level=np.where(enrolled, students.entry_level[student], target),
        collected=paris_to_utc(held, start + (rng.random(size) * np.minimum(lasts, 8 * 60)).astype(np.int64)),
        applied=applied,
        admitted=admitted,
        again=np.where((enrolled | (rng.random(size) < CONTACTED_AGAIN)) & (again < END), again, NEVER),
        linked=enrolled & ~school.unlinked[student],
    )


def _between(rng: np.random.Generator, first: Days, last: Days) -> Days:
    span = np.maximum((last - first).astype(np.int64), 0)
    return first + (rng.random(len(first)) * span).astype(np.int64)


def _institution(rng: np.random.Generator, reference: Reference, level: Ints) -> Ints:
    bounds = np.cumsum(reference.institution_weight, axis=1)
    bounds /= bounds[:, -1:]
    return np.asarray((rng.random(len(level))[:, None] > bounds[level - 1]).sum(axis=1), dtype=np.int64)


def _write(
    rng: np.random.Generator, reference: Reference, people: _Contacts, first_id: int, writer: TableWriter
) -> None:
    size, names = len(people), reference.names
    enrolled = people.student >= 0
    number = np.arange(size) + first_id
    email = personal_email(
        names, people.first_name, people.last_name, np.where(enrolled, 2 * (people.student + 1), 2 * number + 1)
    )
    no_email = ~enrolled & (rng.random(size) < NO_EMAIL)
    no_name = ~enrolled & (rng.random(size) < NO_NAME)
    again = at_office_hours(rng, np.where(people.again == NEVER, END, people.again))
    never_again = people.again == NEVER
    updated = np.where(never_again, people.collected, np.maximum(again, people.collected))
    writer.write(
        {
            "id": number,
            "event_id": people.event + 1,
            "first_name": pick(names.first, np.where(no_name, -1, people.first_name)),
            "last_name": pick(names.last, np.where(no_name, -1, people.last_name)),
            "email": text_or_null(_soiled(rng, email), no_email),
            "phone": text_or_null(phone(rng, size), rng.random(size) < NO_PHONE),
            "home_region_code": pick(reference.region_codes, people.home),
            "current_institution": pick(reference.institutions, people.institution),
            "target_level": number_or_null(people.target_level, rng.random(size) < NO_TARGET),
            "consent_marketing": rng.random(size) < np.where(enrolled, 0.85, 0.6),
            "collected_at": people.collected,
            "last_contact_at": instant_or_null(again, never_again),
            "applied_on": date_or_null(people.applied),
            "admitted_on": date_or_null(people.admitted),
            "student_id": number_or_null(people.student + 1, ~people.linked),
            "updated_at": updated,
        }
    )


def _soiled(rng: np.random.Generator, email: Any) -> Any:
    """Write some addresses in capitals, and some with a blank before."""
    capitals = pa.array(rng.random(len(email)) < MODEL.dirt.capitals)
    blank = pa.array(rng.random(len(email)) < MODEL.dirt.blank)
    email = pc.if_else(capitals, pc.ascii_upper(email), email)
    return pc.if_else(blank, joined(" ", email), email)
