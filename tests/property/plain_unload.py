"""The unload without Prefect, for many examples: the same functions, and a dict by content key for the receipts."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from published import Tables, published_rows, rows_under

from tasks.chunks import Receipt
from tasks.errors import ReplanError
from tasks.manifest import publish_manifest
from tasks.storage import FolderArea
from tasks.unload import cut, snapshot
from tasks.unload.copy import Readers, copy_chunk
from tasks.unload.guard import require_same_heaps
from tasks.unload.plan import UnloadPlan, make_plan
from tasks.unload.snapshot import held_snapshot
from tasks.unload.source import MANNERS, Source, connect, source_of
from tasks.unload.unload import manifest_of

#: Called at every point of a run where the source may change under it: after the snapshot, the plan, each chunk.
Disturb = Callable[[], None]


def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many chunks of little tables, chunk sizes soon outgrown, and short waits for locks and for the WAL."""
    monkeypatch.setattr(cut, "LEAST_CHUNK_BLOCKS", 4)
    monkeypatch.setattr(cut, "MOST_CHUNKS", 8)
    monkeypatch.setattr(cut, "OUTGROWN", 2)
    monkeypatch.setattr(cut, "BLOCKS_PER_LOCK", 8)
    monkeypatch.setitem(MANNERS, "lock_timeout", "100")
    monkeypatch.setattr(snapshot, "NUDGE_AFTER_S", 0)


@dataclass(kw_only=True)
class PlainUnload:
    """Unloads of one schema into one area, one after the other.

    hits: chunks served by receipts so far.  replans: snapshots given up so far.
    """

    dsn: str
    schema: str
    folder: Path
    receipts: dict[str, Receipt] = field(default_factory=dict)
    hits: int = 0
    replans: int = 0

    @property
    def source(self) -> Source:
        return source_of(self.dsn, name="property")

    def run(self, disturb: Disturb) -> tuple[Tables, Tables]:
        """What was published, and what the snapshot showed. A snapshot that is spoilt is taken again, undisturbed."""
        try:
            return self._run(disturb)
        except ReplanError:
            self.replans += 1
            return self._run(lambda: None)

    def _run(self, disturb: Disturb) -> tuple[Tables, Tables]:
        source, area = self.source, FolderArea(root=self.folder / "staging")
        with held_snapshot(source) as held:
            truth = rows_under(self.dsn, self.schema, held.ref.name)
            disturb()
            plan = make_plan(
                source=source,
                connection=held.connection,
                snapshot=held.ref,
                schema=self.schema,
                area=area,
                text_columns=frozenset(),
                workers=1,
            )
            disturb()
            with closing(Readers(source, held.ref.name)) as readers:
                receipts = self._receipts(plan, readers, area, disturb)
            with closing(connect(source)) as connection:
                require_same_heaps(connection, [heap for table in plan.tables for heap in table.table.heaps])
            manifest = manifest_of(plan, receipts)
            publish_manifest(area, manifest)
        return published_rows(area, manifest), truth

    def _receipts(self, plan: UnloadPlan, readers: Readers, area: FolderArea, disturb: Disturb) -> dict[str, Receipt]:
        receipts = {}
        for table in plan.tables:
            for chunk in table.chunks:
                receipt = self.receipts.get(chunk.key) if chunk.is_cacheable else None
                if receipt is None:
                    receipt = copy_chunk(chunk=chunk, columns=table.table.columns, readers=readers, area=area)
                    self.receipts[chunk.key] = receipt
                else:
                    self.hits += 1
                receipts[chunk.key] = receipt
                disturb()
        return receipts
