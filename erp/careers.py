"""Companies, the contracts that students sign with them, and who is hired when: `ContratProModel`, `HireModel`."""

from dataclasses import dataclass

import numpy as np

from erp.draws import Bools, Days, Floats, Ints, logistic, stream, weighted
from erp.model import FIRST_YEAR, MODEL
from erp.people import Students
from erp.reference import Reference
from erp.times import END, NEVER, YEARS, day

COMPANIES_AT_SCALE_1 = 1500
FEWEST_COMPANIES = 150
SURE_PARTNERS = 3  # of every region, since 2010
APPRENTICESHIP_CHANCE = 0.12
INTERNSHIP_CHANCE = 0.55
KINDS = np.array(["contrat_pro", "apprentissage", "stage"], dtype=object)
NONE, CONTRAT_PRO, APPRENTISSAGE, STAGE = -1, 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Companies:
    """Companies in blocks by region, partners first in the order in which they became it.

    first, size: where each region's block starts, how long it is.
    partners:    by region and academic year: companies that became partner before 1 October.
    """

    ids: Ints
    region: Ints
    partner_since: Days
    first: Ints
    size: Ints
    partners: Ints

    def __len__(self) -> int:
        return len(self.ids)


def draw_companies(seed: int, scale: float, reference: Reference) -> Companies:
    """Spread companies over the regions; two thirds are or become partners of the school."""
    rng = stream(seed, "companies")
    regions = len(reference.region_codes)
    size = company_count(scale)
    sure = np.repeat(np.arange(regions), SURE_PARTNERS)
    region = np.concatenate([sure, weighted(rng, reference.region_company_weight, size - len(sure))])
    early = day(2008, 1, 1) + rng.integers(0, 365 * 8, size)
    later = day(2016, 9, 1) + rng.integers(0, 365 * 9, size)
    chance = rng.random(size)
    since = np.select([chance < 0.45, chance < 0.7], [early, later], default=NEVER)
    since[: len(sure)] = day(2010, 1, 1) + rng.integers(0, 365, len(sure))
    order = np.lexsort((since, region))
    region, since = region[order], since[order]
    block = np.bincount(region, minlength=regions)
    partners = [np.bincount(region[since < day(year, 10, 1)], minlength=regions) for year in YEARS]
    return Companies(
        ids=rng.permutation(size) + 1,
        region=region,
        partner_since=since,
        first=np.cumsum(block) - block,
        size=block,
        partners=np.stack(partners, axis=1),
    )


def company_count(scale: float) -> int:
    """How many companies an ERP of this scale knows."""
    return max(FEWEST_COMPANIES, round(COMPANIES_AT_SCALE_1 * scale))


def contrat_pro_intercept(scale: float) -> float:
    """The intercept of `ContratProModel` at a scale."""
    model = MODEL.contrat_pro
    return model.intercept - model.density * float(np.log(company_count(scale) / COMPANIES_AT_SCALE_1))


def contrat_pro_log_odds(scale: float, companies: Companies, reference: Reference, region: Ints, year: int) -> Floats:
    """The logit of the chance to sign a contrat_pro at level 3, for students of campuses in these regions."""
    holders = np.bincount(reference.campuses.region, weights=reference.campuses.bac_holders)
    density = 1000 * companies.partners[:, year - FIRST_YEAR] / holders
    log_odds: Floats = contrat_pro_intercept(scale) + MODEL.contrat_pro.density * np.log(density)
    return np.asarray(log_odds[region], dtype=np.float64)


def draw_contracts(rng: np.random.Generator, log_odds: Floats, level: Ints, join: Days, year: int) -> Ints:
    """What each student would sign on 1 October if still enrolled: CONTRAT_PRO, APPRENTISSAGE or NONE."""
    model = MODEL.contrat_pro
    chance = logistic(log_odds + np.select([level == 4, level == 5], [model.level_4, model.level_5], default=0.0))
    eligible = (level >= 3) & (join < day(year, 10, 1))
    signs = rng.random(len(level)) < chance
    other = rng.random(len(level)) < APPRENTICESHIP_CHANCE
    contract = np.select([eligible & signs, eligible & other], [CONTRAT_PRO, APPRENTISSAGE], default=NONE)
    return np.asarray(contract, dtype=np.int64)


def pick_partner(rng: np.random.Generator, companies: Companies, region: Ints, year: int) -> Ints:
    """One partner of each region given, by chance; as index of the company."""
    count = companies.partners[region, year - FIRST_YEAR]
    return np.asarray(companies.first[region] + (rng.random(len(region)) * count).astype(np.int64))


def pick_company(rng: np.random.Generator, companies: Companies, region: Ints) -> Ints:
    """One company of each region given, partner or not, by chance; as index of the company."""
    return companies.first[region] + (rng.random(len(region)) * companies.size[region]).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Hires:
    """Per student: the day of hiring (or NEVER), and the indices of company and contract (-1: unknown or none)."""

    day: Days
    company: Ints
    contract: Ints


CONTRACTS = np.array(["CDI", "CDD", "freelance"], dtype=object)
UNKNOWN_EMPLOYER = 0.10


def draw_hires(
    seed: int, students: Students, graduated: Bools, host: Ints, campus_region: Ints, companies: Companies
) -> Hires:
    """Hire the graduates after a log-normal time, as far as that lies before the end of the data.

    host: the index of the company where the student worked on the day of graduation, or -1.
    """
    rng, model, size = stream(seed, "hires"), MODEL.hire, len(students)
    log_days = model.log_median + model.host_company * (host >= 0) + model.sd * rng.normal(size=size)
    wait = np.maximum(np.rint(np.exp(np.minimum(log_days, 15.0))), 1).astype(np.int64)
    hired_at = students.graduation + wait
    hired = graduated & (hired_at < END)
    by_host = (host >= 0) & (rng.random(size) < model.host_share)
    elsewhere = pick_company(rng, companies, campus_region[students.campus])
    company = np.where(by_host, host, np.where(rng.random(size) < UNKNOWN_EMPLOYER, -1, elsewhere))
    return Hires(
        day=np.where(hired, hired_at, NEVER),
        company=np.where(hired, company, -1),
        contract=np.where(hired, weighted(rng, np.array([70.0, 22.0, 8.0]), size), -1),
    )
