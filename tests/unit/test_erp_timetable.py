"""Groups of students and their lessons."""

import numpy as np

from erp.draws import stream
from erp.reference import slug
from erp.timetable import LARGEST_GROUP, LESSONS, draw_timetable, form_groups


def test_full_campus_is_split_evenly_and_small_ones_share_a_group() -> None:
    campus = np.array([0] * 30 + [1] * 3 + [2] * 2)
    groups = form_groups(campus, np.full(35, 4))
    assert groups.level.tolist() == [4, 4, 4]
    assert groups.shared.tolist() == [False, False, True]
    assert groups.campus.tolist() == [0, 0, 1]
    assert np.bincount(groups.of_student).tolist() == [15, 15, 5]


def test_levels_are_never_mixed() -> None:
    groups = form_groups(np.zeros(40, np.int64), np.repeat([1, 2], 20))
    assert [set(np.repeat([1, 2], 20)[groups.of_student == number]) for number in range(len(groups))] == [{1}, {2}]
    assert np.bincount(groups.of_student).max() <= LARGEST_GROUP


def test_a_group_has_one_lesson_a_day_and_none_on_public_holidays() -> None:
    groups = form_groups(np.repeat(np.arange(20), 10), np.ones(200, np.int64))
    days = draw_timetable(stream(1, "test"), groups, 2021).day
    assert days.shape == (20, LESSONS)
    assert all(len(set(own)) == LESSONS for own in days.tolist())
    holidays = np.array(["2021-11-01", "2021-11-11", "2022-05-01"], dtype="datetime64[D]")
    assert not np.isin(days, holidays).any()


def test_names_become_plain_letters_in_addresses() -> None:
    names = ["Éloïse", "N'Diaye", "Le Goff", "Saint-Martin", "Łukasz", "Ångström", "NA"]
    assert [slug(name) for name in names] == ["eloise", "ndiaye", "le-goff", "saint-martin", "lukasz", "angstrom", "na"]
