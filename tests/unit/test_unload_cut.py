"""How heaps are cut: every block once, few chunks, and the same cut from run to run."""

import pytest

from tasks.unload.cut import LEAST_CHUNK_BLOCKS, MOST_CHUNKS, Range, chunk_blocks_for, ranges_of


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (0, 2_048),
        (1, 2_048),
        (2_048 * 256, 2_048),
        (2_048 * 256 + 1, 4_096),
        (2**32 - 2, 2**24),
    ],
)
def test_chunks_are_as_small_as_their_greatest_number_allows(blocks: int, expected: int) -> None:
    assert chunk_blocks_for(blocks=blocks, kept=None) == expected


def test_a_kept_size_stays_until_the_heap_is_eight_times_too_large() -> None:
    limit = LEAST_CHUNK_BLOCKS * MOST_CHUNKS * 8
    assert chunk_blocks_for(blocks=limit, kept=LEAST_CHUNK_BLOCKS) == LEAST_CHUNK_BLOCKS
    assert chunk_blocks_for(blocks=limit + 1, kept=LEAST_CHUNK_BLOCKS) == LEAST_CHUNK_BLOCKS * 16
    assert chunk_blocks_for(blocks=10, kept=65_536) == 65_536


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (0, [(0, None)]),
        (1, [(0, None)]),
        (4, [(0, None)]),
        (5, [(0, 4), (4, None)]),
        (8, [(0, 4), (4, None)]),
        (9, [(0, 4), (4, 8), (8, None)]),
    ],
)
def test_ranges_meet_and_the_last_is_open(blocks: int, expected: list[tuple[int, int | None]]) -> None:
    assert ranges_of(blocks=blocks, chunk_blocks=4) == tuple(Range(first=first, end=end) for first, end in expected)


def test_a_range_is_bounded_by_row_addresses() -> None:
    tids = {name: tid.as_string() for name, tid in Range(first=4, end=8).tids.items()}
    assert tids == {"first": "'(4,0)'", "end": "'(8,0)'"}
    assert Range(first=4, end=None).tids["end"].as_string() == "'(4294967295,0)'"
