"""A pool lends what is idle, opens what is missing, and never lends again what saw an error."""

import pytest

from tasks.unload.pool import Pool


class Thing:
    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_an_idle_item_is_lent_again() -> None:
    pool = Pool(Thing)
    with pool.lend() as first:
        pass
    with pool.lend() as second:
        assert second is first
        with pool.lend() as third:
            assert third is not first


def test_an_item_that_saw_an_error_is_closed() -> None:
    pool = Pool(Thing)

    def fail() -> Thing:
        with pool.lend() as thing:
            kept.append(thing)
            raise ValueError("x")

    kept: list[Thing] = []
    with pytest.raises(ValueError, match="x"):
        fail()
    assert kept[0].is_closed
    with pool.lend() as other:
        assert other is not kept[0]


def test_closing_the_pool_closes_what_is_idle() -> None:
    with Pool(Thing) as pool, pool.lend() as first, pool.lend() as second:
        assert not first.is_closed
    assert first.is_closed
    assert second.is_closed


def test_what_cannot_be_opened_is_the_borrowers_error() -> None:
    def fail() -> Thing:
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"), Pool(fail).lend():
        pass
