"""Chunks in flight under a real Prefect: so many at once, none after an error, receipts by content, retries by type."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect import flow, task
from prefect.futures import PrefectFuture

from tasks.chunks import CONTENT, Outcome, Receipt, content_key, in_flight, is_retryable, receipts_of
from tasks.errors import FatalError, ReplanError, RetryableError, SourceUnavailable, StorageRefused
from tasks.storage import open_area

pytestmark = pytest.mark.usefixtures("prefect_server")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A chunk that says how often its task has to fail, and how."""

    key: str
    failures: tuple[Exception, ...] = ()


class Work:
    """Counts what runs at the same time, and what was ever started."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.most = 0
        self.started: list[str] = []

    def do(self, chunk: Piece) -> Receipt:
        with self.lock:
            failure = dict(enumerate(chunk.failures)).get(self.started.count(chunk.key))
            self.started.append(chunk.key)
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.02)
        with self.lock:
            self.running -= 1
        if failure is not None:
            raise failure
        return Receipt(path=chunk.key, rows=1, bytes=1, sha256="0", key=chunk.key)


@task(cache_policy=CONTENT, persist_result=True, result_serializer="json", retries=2, retry_condition_fn=is_retryable)
def do_piece(chunk: Piece, work: Work) -> Receipt:
    return work.do(chunk)


def run(work: Work, area: Path, pieces: list[Piece], *, limit: int = 3) -> list[Outcome[Piece, Receipt]]:
    """The outcomes of a flow over the pieces; raises what the flow raises."""

    @flow(name="pieces", log_prints=False)
    def over_pieces() -> list[Outcome[Piece, Receipt]]:
        stored = do_piece.with_options(result_storage=receipts_of(open_area(str(area))))

        def submit(piece: Piece) -> PrefectFuture[Receipt]:
            return stored.submit(piece, work)

        return list(in_flight(submit, pieces, limit))

    return over_pieces()


def test_all_chunks_come_back_and_no_more_than_allowed_run_at_once(tmp_path: Path) -> None:
    work, pieces = Work(), [Piece(key=f"k{number}") for number in range(8)]
    outcomes = run(work, tmp_path, pieces)
    assert {outcome.result.key for outcome in outcomes} == {piece.key for piece in pieces}
    assert not any(outcome.was_cached for outcome in outcomes)
    assert 1 < work.most <= 3


def test_a_chunk_whose_content_is_known_does_not_run(tmp_path: Path) -> None:
    work, pieces = Work(), [Piece(key="one"), Piece(key="two")]
    first = run(work, tmp_path, pieces)
    second = run(work, tmp_path, [*pieces, Piece(key="three")])
    assert sorted(work.started) == ["one", "three", "two"]
    assert {outcome.chunk.key for outcome in second if outcome.was_cached} == {"one", "two"}
    assert {outcome.result for outcome in first} <= {outcome.result for outcome in second}


def test_after_an_error_nothing_starts_and_what_is_in_flight_ends(tmp_path: Path) -> None:
    work = Work()
    pieces = [Piece(key="good"), Piece(key="bad", failures=(StorageRefused("no room"),))]
    pieces += [Piece(key=f"later {number}") for number in range(20)]
    with pytest.raises(StorageRefused, match="no room"):
        run(work, tmp_path, pieces, limit=2)
    assert len(work.started) < 10
    assert work.running == 0


def test_only_what_may_pass_is_tried_again(tmp_path: Path) -> None:
    work = Work()
    flaky = Piece(key="flaky", failures=(SourceUnavailable("busy"), SourceUnavailable("busy")))
    assert [outcome.result.key for outcome in run(work, tmp_path, [flaky])] == ["flaky"]
    assert work.started == ["flaky"] * 3
    for error in (FatalError("no"), ReplanError("no"), ValueError("no")):
        work = Work()
        with pytest.raises(type(error), match="no"):
            run(work, tmp_path, [Piece(key="hopeless", failures=(error,))])
        assert work.started == ["hopeless"]


def test_an_error_that_stays_is_raised_after_the_last_try(tmp_path: Path) -> None:
    work = Work()
    with pytest.raises(RetryableError, match="still busy"):
        run(work, tmp_path, [Piece(key="stuck", failures=(RetryableError("still busy"),) * 9)])
    assert work.started == ["stuck"] * 3


def test_a_key_depends_on_names_and_values_and_not_on_their_order() -> None:
    assert content_key(a=1, b=[2, "é"]) == content_key(b=[2, "é"], a=1)
    keys = [content_key(a=1), content_key(a="1"), content_key(b=1), content_key(a=[1]), content_key(a=None)]
    assert len(set(keys)) == len(keys)
