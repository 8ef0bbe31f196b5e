"""The generated data follow the models of truth.json exactly.

Each test computes from the data alone, as an analyst would, what the documented model expects, and compares it with
what is there: the difference, in standard errors, must be small. The bound lets right data pass.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from erp_files import ErpFiles

from erp.generator import generate
from erp.origin import Recipe

Floats = npt.NDArray[np.float64]
BOUND = 4.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("truth")
    generate(Recipe(scale=0.1, seed=11), made, lambda what, rows, seconds: None)
    return made


@pytest.fixture(scope="module")
def erp(folder: Path) -> ErpFiles:
    return ErpFiles(folder)


@pytest.fixture(scope="module")
def planted(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "truth.json").read_text())["planted"])


def logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def scores(happened: Floats, expected: Floats, variance: Floats, covariates: list[Floats]) -> list[float]:
    """For each covariate x: sum of x * (happened - expected), in standard errors; about normal if the model holds."""
    return [float((x * (happened - expected)).sum() / np.sqrt((x * x * variance).sum())) for x in covariates]


def assert_fits(values: list[float]) -> None:
    assert max(abs(value) for value in values) < BOUND, [round(value, 1) for value in values]


def test_grades_are_institution_plus_region_plus_subject_plus_exam(erp: ErpFiles, planted: dict[str, Any]) -> None:
    model = planted["grades"]
    rows = erp.columns("""
        SELECT student_id, coalesce(origin_institution, '') AS institution, coalesce(home_region_code, '') AS region,
               subject_id AS subject, exam, grade
        FROM grades JOIN students s ON s.id = student_id WHERE exam <> 'resit' AND grade IS NOT NULL""")
    expected = model["intercept"] + model["final_effect"] * (rows["exam"] == "final")
    for column, effects in [
        ("institution", model["institutions"]),
        ("region", model["home_regions"]),
        ("subject", model["subjects"]),
    ]:
        expected = expected + np.array([effects.get(name, 0.0) for name in rows[column]])
    _, student = np.unique(rows["student_id"], return_inverse=True)
    number = np.bincount(student)
    residual = np.bincount(student, weights=rows["grade"] - expected) / number
    variance = model["student_sd"] ** 2 + model["noise_sd"] ** 2 / number
    assert_fits([(residual**2 / variance - 1).sum() / np.sqrt(2 * len(number))])
    first = np.unique(student, return_index=True)[1]
    for column in ("institution", "region"):
        groups = [(rows[column][first] == name).astype(float) for name in np.unique(rows[column])]
        assert_fits(scores(residual, np.zeros(len(residual)), variance, groups))
    within = (rows["grade"] - expected) - residual[student]
    finals = (rows["exam"] == "final").astype(float)
    assert_fits(scores(within, np.zeros(len(within)), np.full(len(within), model["noise_sd"] ** 2), [finals]))


PERSON_MONTHS = """
    WITH months AS (
        SELECT id, campus_id, home_region_code, left_date, left_reason, month,
               (join_date + month * INTERVAL 1 MONTH)::DATE AS first_day,
               (join_date + (month + 1) * INTERVAL 1 MONTH)::DATE AS next
        FROM students, generate_series(0, 61) AS g(month)),
    days AS (
        SELECT student_id, l.starts_at::DATE AS day, count(*) AS held, count_if(status IN ('present', 'late')) AS came
        FROM attendances JOIN lessons l ON l.id = lesson_id GROUP BY ALL),
    so_far AS (
        SELECT student_id, day, sum(came) OVER past / sum(held) OVER past AS rate
        FROM days WINDOW past AS (PARTITION BY student_id ORDER BY day)),
    contracts AS (FROM apprenticeships WHERE kind = 'contrat_pro')
    SELECT m.month, coalesce(left_date < next AND left_reason <> 'graduated', false)::DOUBLE AS dropped,
           (home_region_code IS NOT NULL AND home_region_code <> c.region_code)::DOUBLE AS away,
           coalesce(first_day <= a.end_date, false)::DOUBLE AS contrat_pro, rate
    FROM months m JOIN campuses c ON c.id = m.campus_id
         ASOF LEFT JOIN so_far f ON f.student_id = m.id AND m.first_day > f.day
         ASOF LEFT JOIN contracts a ON a.student_id = m.id AND m.first_day >= a.start_date
    WHERE (left_date IS NULL OR left_date >= first_day)
      AND next <= CASE WHEN left_reason = 'graduated' THEN left_date ELSE DATE '2026-09-01' END"""


def test_dropout_hazard_is_logistic_in_the_planted_covariates(erp: ErpFiles, planted: dict[str, Any]) -> None:
    model, rows = planted["dropout"], erp.columns(PERSON_MONTHS)
    rate = np.ma.filled(rows["rate"], model["attendance_centre"]) - model["attendance_centre"]
    early = (rows["month"] < model["early_months"]).astype(float)
    covariates = {
        "early": early,
        "attendance": rate,
        "contrat_pro": rows["contrat_pro"],
        "away": rows["away"],
    }
    chance = logistic(model["intercept"] + sum(model[name] * x for name, x in covariates.items()))
    dropouts = "SELECT count(*) FROM students WHERE left_reason <> 'graduated'"
    assert rows["dropped"].sum() == erp.value(dropouts)
    assert_fits(scores(rows["dropped"], chance, chance * (1 - chance), [np.ones(len(chance)), *covariates.values()]))


CAMPUS_MONTHS = """
    WITH cells AS (
        SELECT c.id AS campus_id, month, opened_on, catchment_bac_holders, competitor_schools,
               (DATE '2016-09-01' + month * INTERVAL 1 MONTH)::DATE AS first_day
        FROM campuses c, generate_series(0, 119) AS g(month))
    SELECT month, extract(month FROM first_day) AS calendar_month, competitor_schools, catchment_bac_holders,
           (SELECT count(*) FROM students s WHERE s.campus_id = m.campus_id
            AND date_trunc('month', created_at) = first_day)::DOUBLE AS enrolments,
           {events}
    FROM cells m WHERE first_day >= opened_on"""
EVENTS_BEFORE = """(SELECT count(*) FROM events e WHERE e.campus_id = m.campus_id AND kind = '{kind}'
            AND date_trunc('month', starts_at) = first_day - INTERVAL 1 MONTH)::DOUBLE AS {kind}"""


def test_enrolments_are_organic_plus_incremental_by_event(erp: ErpFiles, planted: dict[str, Any]) -> None:
    model = planted["intake"]
    kinds = list(model["incremental"])
    rows = erp.columns(CAMPUS_MONTHS.format(events=", ".join(EVENTS_BEFORE.format(kind=kind) for kind in kinds)))
    holders, competitors = np.log(rows["catchment_bac_holders"] / 10_000), np.log1p(rows["competitor_schools"])
    years = rows["month"] / 12
    season = np.array(model["season"])[rows["calendar_month"].astype(int) - 1]
    size = model["bac_holders"] * holders + model["competitors"] * competitors
    organic = np.exp(model["intercept"] + size + model["growth_per_year"] * years) * season
    expected = organic + sum(rate * rows[kind] for kind, rate in model["incremental"].items())
    assert rows["enrolments"].sum() == erp.value("SELECT count(*) FROM students")
    ones, spring = np.ones(len(organic)), (season > 1).astype(float)
    covariates = [ones, holders, competitors, years, spring, *(rows[kind] for kind in kinds)]
    assert_fits(scores(rows["enrolments"], expected, expected, covariates))


STUDENT_YEARS = """
    WITH years AS (
        SELECT s.*, c.region_code, make_date(year, 10, 1) AS october,
               entry_level + year - (extract(year FROM join_date) - (extract(month FROM join_date) < 9)::INT) AS level
        FROM students s JOIN campuses c ON c.id = s.campus_id, generate_series(2016, 2025) AS g(year))
    SELECT level, EXISTS (FROM apprenticeships a WHERE a.student_id = y.id AND kind = 'contrat_pro'
                          AND start_date = october)::DOUBLE AS signed,
           ln((SELECT count(*) FROM companies p WHERE p.region_code = y.region_code AND partner_since < october)
              * 1000.0 / (SELECT sum(catchment_bac_holders) FROM campuses d WHERE d.region_code = y.region_code)
           ) AS density
    FROM years y WHERE level >= 3 AND join_date < october AND (left_date IS NULL OR left_date > october)"""


def test_contrats_pro_follow_the_density_of_partners(erp: ErpFiles, planted: dict[str, Any]) -> None:
    model, rows = planted["contrat_pro"], erp.columns(STUDENT_YEARS)
    assert rows["level"].max() == 5
    fourth, fifth = (rows["level"] == 4).astype(float), (rows["level"] == 5).astype(float)
    chance = logistic(
        model["intercept"] + model["density"] * rows["density"] + model["level_4"] * fourth + model["level_5"] * fifth
    )
    assert rows["signed"].sum() == erp.value("SELECT count(*) FROM apprenticeships WHERE kind = 'contrat_pro'")
    ones = np.ones(len(chance))
    assert_fits(scores(rows["signed"], chance, chance * (1 - chance), [ones, rows["density"], fourth, fifth]))


GRADUATES = """
    SELECT (hired_at - left_date)::DOUBLE AS days,
           EXISTS (FROM apprenticeships a WHERE a.student_id = s.id AND kind <> 'stage' AND broken_on IS NULL
                   AND left_date BETWEEN start_date AND end_date)::DOUBLE AS host
    FROM students s WHERE left_reason = 'graduated' AND left_date < '2023-09-01'"""


def test_time_to_hire_is_log_normal_with_an_effect_of_the_host(erp: ErpFiles, planted: dict[str, Any]) -> None:
    """Of graduates watched for three years few are censored, and those waited longer than any quantile looked at."""
    model, rows = planted["hire"], erp.columns(GRADUATES)
    censored = np.ma.getmaskarray(rows["days"])
    days = np.ma.filled(rows["days"], np.inf)
    median = np.exp(model["log_median"] + model["host_company"] * rows["host"])
    assert censored.mean() < 0.05
    for quantile, z in [(0.16, -0.9945), (0.5, 0.0), (0.84, 0.9945)]:
        below = (days + 0.5 <= median * np.exp(model["sd"] * z)).astype(float)
        near = (np.abs(days - median * np.exp(model["sd"] * z)) < 0.5).astype(float) / 2
        share = np.full(len(days), quantile)
        assert_fits(scores(below + near, share, share * (1 - share), [np.ones(len(days)), rows["host"]]))


def test_competitor_schools_have_their_shares(erp: ErpFiles, planted: dict[str, Any]) -> None:
    named = erp.columns("SELECT next_school AS school FROM students WHERE next_school IS NOT NULL")["school"]
    for school, share in planted["next_school"]["shares"].items():
        went = (named == school).astype(float)
        expected = np.full(len(named), share)
        assert_fits(scores(went, expected, expected * (1 - expected), [np.ones(len(named))]))
