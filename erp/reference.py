"""The lists of reference/*.csv: regions, campuses, institutions, subjects, names, competitor schools, sectors."""

import csv
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erp.draws import Floats, Ints, Strings

FOLDER = Path(__file__).with_name("reference")


@dataclass(frozen=True, kw_only=True)
class Campuses:
    """The thirty campuses; number i has id i + 1. region indexes the regions; opened counts months from the first."""

    rows: list[dict[str, str]]
    region: Ints
    opened: Ints
    bac_holders: Ints
    competitors: Ints


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names with their frequencies, and how they are written in an e-mail address."""

    first: Strings
    first_slug: Strings
    first_weight: Floats
    is_female: Floats
    last: Strings
    last_slug: Strings
    last_weight: Floats


@dataclass(frozen=True, kw_only=True)
class Reference:
    """All lists; what is indexed by number elsewhere is indexed by the position in these."""

    region_codes: Strings
    region_names: Strings
    region_bac_holders: Floats
    region_company_weight: Floats
    region_effect: Floats
    campuses: Campuses
    institutions: Strings
    diplomas: Strings
    institution_weight: Floats  # one row per entry level
    institution_effect: Floats
    subjects: list[dict[str, str]]
    subject_ids: Strings
    names: Names
    competitors: Strings
    competitor_share: Floats
    sectors: list[dict[str, str]]


def read_reference() -> Reference:
    """Read every list of the package."""
    regions, institutions, competitors = _rows("regions"), _rows("institutions"), _rows("competitors")
    return Reference(
        region_codes=_strings(regions, "code"),
        region_names=_strings(regions, "name"),
        region_bac_holders=_floats(regions, "bac_holders"),
        region_company_weight=_floats(regions, "company_weight"),
        region_effect=_floats(regions, "grade_effect"),
        campuses=_campuses([row["code"] for row in regions]),
        institutions=_strings(institutions, "name"),
        diplomas=_strings(institutions, "diploma"),
        institution_weight=np.array([_floats(institutions, f"level_{level}") for level in range(1, 6)]),
        institution_effect=_floats(institutions, "grade_effect"),
        subjects=_rows("subjects"),
        subject_ids=_strings(_rows("subjects"), "id"),
        names=_names(),
        competitors=_strings(competitors, "name"),
        competitor_share=_floats(competitors, "share"),
        sectors=_rows("sectors"),
    )


def _campuses(region_codes: list[str]) -> Campuses:
    rows = _rows("campuses")
    opened = np.array([row["opened_on"][:7] for row in rows], dtype="datetime64[M]")
    return Campuses(
        rows=rows,
        region=np.array([region_codes.index(row["region_code"]) for row in rows], dtype=np.int64),
        opened=(opened - opened.min()).astype(np.int64),
        bac_holders=_floats(rows, "catchment_bac_holders").astype(np.int64),
        competitors=_floats(rows, "competitor_schools").astype(np.int64),
    )


def _names() -> Names:
    first, last = _rows("first_names"), _rows("last_names")
    return Names(
        first=_strings(first, "name"),
        first_slug=np.array([slug(row["name"]) for row in first], dtype=object),
        first_weight=_floats(first, "weight"),
        is_female=np.array([row["gender"] == "F" for row in first], dtype=np.float64),
        last=_strings(last, "name"),
        last_slug=np.array([slug(row["name"]) for row in last], dtype=object),
        last_weight=_floats(last, "weight"),
    )


def slug(name: str) -> str:
    """A name as it stands in an e-mail address: plain lower-case letters and hyphens."""
    plain = unicodedata.normalize("NFKD", name.lower().replace("ł", "l"))
    kept = "".join(letter for letter in plain if letter.isascii() and letter != "'")
    return kept.replace(" ", "-")


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _strings(rows: list[dict[str, str]], column: str) -> Strings:
    return np.array([row[column] for row in rows], dtype=object)


def _floats(rows: list[dict[str, str]], column: str) -> Floats:
    return np.array([float(row[column]) for row in rows], dtype=np.float64)
