"""Chunk plans are pure arithmetic: every block in one range, few ranges, and the same ones from night to night."""

from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given

from tasks.unload.cut import (
    LEAST_CHUNK_BLOCKS,
    MOST_CHUNKS,
    OUTGROWN,
    CutHeap,
    Range,
    _portions,
    chunk_blocks_for,
    ranges_of,
)
from tasks.unload.tables import Heap

BLOCKS = st.integers(0, 2**32 - 2) | st.integers(0, 5_000_000)
SIZES = st.integers(0, 20).map(lambda power: LEAST_CHUNK_BLOCKS << power)
HEAP = Heap(oid=1, schema="erp", name="lessons", filenode=1, schema_id="", is_cacheable=True)


def assert_covers_once(ranges: tuple[Range, ...], blocks: int) -> None:
    assert ranges[0].first == 0
    assert ranges[-1].end is None, "rows beyond the last block seen belong to the last range"
    assert ranges[-1].first <= max(blocks - 1, 0), "no range lies beyond the heap"
    for one, following in pairwise(ranges):
        assert one.end is not None
        assert one.first < one.end == following.first


@given(blocks=BLOCKS)
def test_first_plan_covers_every_block_once_by_few_chunks(blocks: int) -> None:
    size = chunk_blocks_for(blocks=blocks, kept=None)
    assert size >= LEAST_CHUNK_BLOCKS
    assert size.bit_count() == 1, "a power of two"
    ranges = ranges_of(blocks=blocks, chunk_blocks=size)
    assert len(ranges) <= MOST_CHUNKS
    assert size == LEAST_CHUNK_BLOCKS or len(ranges) > MOST_CHUNKS / 2, "no coarser than it must be"
    assert_covers_once(ranges, blocks)


@given(blocks=BLOCKS, kept=SIZES)
def test_kept_size_covers_every_block_once_until_outgrown(blocks: int, kept: int) -> None:
    size = chunk_blocks_for(blocks=blocks, kept=kept)
    ranges = ranges_of(blocks=blocks, chunk_blocks=size)
    assert (size == kept) == (blocks <= kept * MOST_CHUNKS * OUTGROWN)
    assert len(ranges) <= MOST_CHUNKS * OUTGROWN
    assert_covers_once(ranges, blocks)


@given(blocks=st.integers(0, 2_000_000), growth=st.integers(0, 2_000_000))
def test_growth_leaves_all_ranges_but_the_last_as_they_were(blocks: int, growth: int) -> None:
    size = chunk_blocks_for(blocks=blocks, kept=None)
    before = ranges_of(blocks=blocks, chunk_blocks=size)
    if chunk_blocks_for(blocks=blocks + growth, kept=size) == size:
        after = ranges_of(blocks=blocks + growth, chunk_blocks=size)
        assert after[: len(before) - 1] == before[:-1]
        assert after[len(before) - 1].first == before[-1].first


@given(blocks=st.integers(0, 2_000_000), size=SIZES)
def test_portions_under_one_lock_are_all_ranges_in_their_order(blocks: int, size: int) -> None:
    ranges = ranges_of(blocks=blocks, chunk_blocks=size)
    portions = [*_portions(CutHeap(heap=HEAP, chunk_blocks=size, ranges=ranges))]
    assert tuple(part for portion in portions for part in portion) == ranges
    assert all(portions)
