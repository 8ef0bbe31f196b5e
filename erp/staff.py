"""Professors: who teaches where, from when to when."""

from dataclasses import dataclass

import numpy as np

from erp.draws import Bools, Days, Ints, stream
from erp.people import FEMALE_SHARE, draw_names
from erp.reference import Reference
from erp.times import END, NEVER, day

PROFESSORS_AT_SCALE_1 = 450
FEWEST_AT_A_CAMPUS = 2
PERMANENT_SHARE = 0.35
LEAVER_SHARE = 0.3


@dataclass(frozen=True, kw_only=True)
class Professors:
    """Professors in order of their campus; number i has id i + 1. Names are indices; left: NEVER for who stays."""

    campus: Ints
    first_name: Ints
    last_name: Ints
    permanent: Bools
    joined: Days
    left: Days

    def __len__(self) -> int:
        return len(self.campus)

    def pick(self, rng: np.random.Generator, campus: Ints, year: int) -> Ints:
        """For each campus given, the id of one who teaches there during the whole academic year."""
        there = np.flatnonzero((self.joined <= day(year, 9, 1)) & (self.left >= day(year + 1, 8, 1)))
        first = np.searchsorted(self.campus[there], campus)
        count = np.searchsorted(self.campus[there], campus, side="right") - first
        return there[first + (rng.random(len(campus)) * count).astype(np.int64)] + 1


def draw_professors(seed: int, scale: float, reference: Reference) -> Professors:
    """Staff the campuses by their capacity; the first professor of each is there from its opening on, and stays."""
    rng = stream(seed, "professors")
    capacity = np.array([float(row["capacity"]) for row in reference.campuses.rows])
    wanted = np.rint(PROFESSORS_AT_SCALE_1 * scale * capacity / capacity.sum()).astype(np.int64)
    campus = np.repeat(np.arange(len(capacity)), np.maximum(wanted, FEWEST_AT_A_CAMPUS))
    size = len(campus)
    opened = np.array([row["opened_on"] for row in reference.campuses.rows], dtype="datetime64[D]")[campus]
    founder = np.concatenate([[True], campus[1:] != campus[:-1]])
    career = (END - opened).astype(np.int64) - 365
    joined = opened + np.where(founder, 0, rng.random(size) * career).astype(np.int64)
    stay = 365 + (rng.random(size) * 365 * 6).astype(np.int64)
    leaves = ~founder & (rng.random(size) < LEAVER_SHARE) & (joined + stay < END)
    first_name, last_name = draw_names(rng, reference.names, rng.random(size) < FEMALE_SHARE)
    return Professors(
        campus=campus,
        first_name=first_name,
        last_name=last_name,
        permanent=founder | (rng.random(size) < PERMANENT_SHARE),
        joined=joined,
        left=np.where(leaves, joined + stay, NEVER),
    )
