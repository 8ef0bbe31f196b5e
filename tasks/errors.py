"""What can go wrong. The type says what happens next; the message has the fact and the remedy.

RepriseError
├── RetryableError          the same call may succeed in a moment: the task tries again
│   ├── SourceUnavailable     the database does not answer, or ended our connection
│   ├── ChunkNotRead          a chunk's read broke off
│   └── StorageUnavailable    the storage area does not answer
├── ReplanError             the plan no longer fits the source: one new plan under a new snapshot
│   ├── SnapshotLost          the connection that holds the snapshot is gone
│   ├── TableRewritten        TRUNCATE, a rewriting ALTER, VACUUM FULL …: the heap that was planned is gone
│   ├── CatalogChanged        a table was altered or dropped between plan and read
│   └── ValueNotExact         a value that its file type cannot hold: its column goes as text
└── FatalError              a person must act
    ├── SourceRefused         wrong host, password, database, schema, table, privilege or server version
    ├── RowCountMismatch      a chunk file has other rows than its fingerprint counted
    ├── StorageRefused        the storage area cannot be written, or is full
    └── ManifestBroken        a manifest is absent, unreadable, or not what its files say

A capability's own fatal errors stand beside what raises them: SparkJobFailed, TableMismatch, PublicationBroken; so do
those of the local stack (deployments/errors.py).
"""


class RepriseError(Exception):
    """Base of every error that Reprise raises on purpose; its message is meant for the person at the screen."""


class RetryableError(RepriseError):
    """The same call may succeed in a moment."""


class SourceUnavailable(RetryableError):
    """The source database does not answer, or ended our connection."""


class ChunkNotRead(RetryableError):
    """The read of a chunk broke off; nothing was published."""


class StorageUnavailable(RetryableError):
    """The storage area does not answer."""


class ReplanError(RepriseError):
    """The plan no longer fits the source: plan again under a new snapshot."""


class SnapshotLost(ReplanError):
    """The connection that holds the snapshot is gone, and the snapshot with it."""


class TableRewritten(ReplanError):
    """A table has another heap than the plan, or than its snapshot."""


class CatalogChanged(ReplanError):
    """A table was altered or dropped between plan and read."""


class ValueNotExact(ReplanError):
    """A value that its file type cannot hold exactly: plan again, with that column as text.

    table: full name.  column: name.
    """

    def __init__(self, message: str, *, table: str, column: str) -> None:
        super().__init__(message)
        self.table = table
        self.column = column


class FatalError(RepriseError):
    """Trying again changes nothing: a person must act."""


class SourceRefused(FatalError):
    """The source cannot be read as asked."""


class RowCountMismatch(FatalError):
    """A chunk file has other rows than its fingerprint counted; the file was thrown away."""


class StorageRefused(FatalError):
    """The storage area cannot be written or read as asked."""


class ManifestBroken(FatalError):
    """A manifest is absent, unreadable, or not what its files say."""
