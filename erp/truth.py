"""truth.json: what an analysis of the generated ERP should find, in numbers and in words."""

import inspect
from dataclasses import asdict
from typing import Any

from erp.careers import Hires, contrat_pro_intercept
from erp.intake import KINDS
from erp.model import MODEL
from erp.rows import REASON_WEIGHT, REASONS
from erp.school import School
from erp.studies import Progress
from erp.times import END, NEVER, START


def truth(school: School, progress: Progress, hires: Hires, rows: dict[str, int]) -> dict[str, Any]:
    """All planted parameters with their models in words, the effects by name, and counts of what happened.

    rows: rows written, by table.
    """
    return {
        "format": 1,
        "scale": school.scale,
        "seed": school.seed,
        "first_day": str(START),
        "first_day_after": str(END),
        "rows": rows,
        "planted": {
            "grades": _described(MODEL.grades) | _grade_effects(school),
            "dropout": _described(MODEL.dropout) | {"reasons": _shares(REASONS, REASON_WEIGHT / REASON_WEIGHT.sum())},
            "intake": _described(MODEL.intake) | {"intercept": school.enrolments.intercept},
            "contrat_pro": _described(MODEL.contrat_pro) | {"intercept": contrat_pro_intercept(school.scale)},
            "hire": _described(MODEL.hire),
            "next_school": {
                "model": "Shares of next_school among rows with left_reason 'competitor'; some are NULL at random.",
                "shares": _shares(school.reference.competitors, school.reference.competitor_share),
            },
            "dirt": _described(MODEL.dirt),
        },
        "happened": _happened(school, progress, hires),
        "links": "truth_links.csv: each contact who enrolled, with the student, and whether the event was the cause",
    }


def _described(model: Any) -> dict[str, Any]:
    """A model's parameters, and its docstring as the description of what they mean."""
    return {"model": inspect.getdoc(model)} | asdict(model)


def _grade_effects(school: School) -> dict[str, Any]:
    reference = school.reference
    effects = (float(x) for x in school.subject_effect.ravel())
    return {
        "institutions": dict(zip(reference.institutions, reference.institution_effect.tolist(), strict=True)),
        "home_regions": dict(zip(reference.region_codes, reference.region_effect.tolist(), strict=True)),
        "subjects": dict(zip(reference.subject_ids, effects, strict=True)),
    }


def _shares(names: Any, shares: Any) -> dict[str, float]:
    return {str(name): float(share) for name, share in zip(names, shares, strict=True) if share > 0}


def _happened(school: School, progress: Progress, hires: Hires) -> dict[str, Any]:
    events, enrolments = school.events, school.enrolments
    converted, left = enrolments.event >= 0, progress.left != NEVER
    return {
        "events": {str(kind): int((events.kind == number).sum()) for number, kind in enumerate(KINDS)},
        "enrolments_caused_by_events": int(enrolments.caused.sum()),
        "contacts_who_enrolled": int(converted.sum()),
        "contacts_who_enrolled_without_student_id": int((converted & school.unlinked).sum()),
        "graduates": int(progress.graduated.sum()),
        "graduates_hired": int((hires.day != NEVER).sum()),
        "dropouts": int((left & ~progress.graduated).sum()),
        "left_before_first_lesson": int((left & (progress.recorded == 0)).sum()),
    }
