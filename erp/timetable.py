"""Groups of students and the lessons that they are taught in one academic year."""

from dataclasses import dataclass

import numpy as np

from erp.draws import Bools, Days, Ints
from erp.times import day, monday_from

SUBJECTS_A_LEVEL = 12
LESSONS_A_SUBJECT = 8
SEMESTER_SUBJECTS = SUBJECTS_A_LEVEL // 2
SEMESTER_LESSONS = SEMESTER_SUBJECTS * LESSONS_A_SUBJECT
LESSONS = 2 * SEMESTER_LESSONS  # of one group in one year
LESSONS_A_WEEK = 4
SMALLEST_GROUP = 6
LARGEST_GROUP = 20
FIRST_SHARED_GROUP = 1000  # group numbers of groups that campuses share
ONLINE_SHARE = 0.08
SLOTS = np.array([9 * 60, 10 * 60 + 45, 14 * 60, 16 * 60 + 15])  # minutes since midnight
DURATIONS = np.array([90, 105, 120, 150])
# Within a level: number n of a semester's lessons is about subject n % 6, subjects 6 to 11 being the second semester's.
SUBJECT_OF_LESSON = np.arange(LESSONS) % SEMESTER_SUBJECTS + np.arange(LESSONS) // SEMESTER_LESSONS * SEMESTER_SUBJECTS


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups of one year, and the group of each student given. campus: where the group is taught (index)."""

    level: Ints
    campus: Ints
    number: Ints
    shared: Bools
    of_student: Ints

    def __len__(self) -> int:
        return len(self.level)


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """The lessons of one year: arrays of shape (groups, LESSONS), in order of weeks; minute counts since midnight."""

    day: Days
    minute: Ints
    duration: Ints
    online: Bools


def form_groups(campus: Ints, level: Ints) -> Groups:
    """Split the students of each campus and level evenly into groups of at most LARGEST_GROUP.

    Where a campus has too few for a group, they join a group that campuses share, taught online from the campus that
    sends most; so that small ERPs have full groups too.
    """
    cell = campus * 10 + level
    _, cells, sizes = np.unique(cell, return_inverse=True, return_counts=True)
    shared = sizes[cells] < SMALLEST_GROUP
    pool = np.where(shared, 10_000 + level, cell)
    pools, members = np.unique(pool, return_inverse=True)
    order = np.argsort(members, kind="stable")
    counts = np.bincount(members)
    rank = np.empty(len(campus), np.int64)
    rank[order] = np.arange(len(campus)) - np.repeat(np.cumsum(counts) - counts, counts)
    groups = -(-counts // LARGEST_GROUP)
    first = np.cumsum(groups) - groups
    of_student = first[members] + rank % groups[members]
    pool_of_group = np.repeat(np.arange(len(pools)), groups)
    number = np.arange(len(pool_of_group)) - first[pool_of_group]
    is_shared = pools[pool_of_group] >= 10_000
    return Groups(
        level=pools[pool_of_group] % 10,
        campus=_most_frequent(of_student, campus, len(pool_of_group)),
        number=number + np.where(is_shared, FIRST_SHARED_GROUP, 1),
        shared=is_shared,
        of_student=of_student,
    )


def _most_frequent(group: Ints, campus: Ints, groups: int) -> Ints:
    counts = np.zeros((groups, int(campus.max()) + 1), np.int64)
    np.add.at(counts, (group, campus), 1)
    return np.asarray(counts.argmax(axis=1), dtype=np.int64)


def semester_starts(year: int) -> tuple[np.datetime64, np.datetime64]:
    """The Mondays of the first lessons of an academic year's two semesters."""
    return monday_from(day(year, 9, 12)), monday_from(day(year + 1, 2, 8))


def draw_timetable(rng: np.random.Generator, groups: Groups, year: int) -> Timetable:
    """Four lessons a week on four different days; one that falls on a public holiday is held that Saturday."""
    shape = (len(groups), LESSONS)
    number = np.arange(LESSONS)
    semester = number // SEMESTER_LESSONS
    week = number % SEMESTER_LESSONS // LESSONS_A_WEEK
    monday = np.array(semester_starts(year))[semester] + 7 * week
    free_day = np.repeat(rng.integers(0, 5, (len(groups), LESSONS // LESSONS_A_WEEK)), LESSONS_A_WEEK, axis=1)
    in_week = number % LESSONS_A_WEEK
    weekday = in_week + (in_week >= free_day)
    days = monday + weekday
    days = np.where(np.isin(days, _holidays(year)), monday + 5, days)
    return Timetable(
        day=days,
        minute=SLOTS[rng.integers(0, len(SLOTS), shape)],
        duration=DURATIONS[rng.integers(0, len(DURATIONS), shape)],
        online=(rng.random(shape) < ONLINE_SHARE) | groups.shared[:, None],
    )


def _holidays(year: int) -> Days:
    return np.array([day(year, 11, 1), day(year, 11, 11), day(year + 1, 5, 1), day(year + 1, 5, 8)])
