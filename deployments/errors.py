"""What can go wrong with running things on this machine; each message has the fact and the remedy."""

from tasks.errors import FatalError


class ProfileUnusable(FatalError):
    """The user's own Prefect profile was asked for and names no server."""


class TemporaryFolderForeign(FatalError):
    """The folder for our temporary files is there and is not ours."""


class ServerNotStarted(FatalError):
    """The Prefect server did not come up; the message has the end of its log."""


class WorkerNotStarted(FatalError):
    """The worker did not come up; the message has the end of its log."""


class StepFailed(FatalError):
    """A command that the demonstration needs ended with an error; the message says which, or where to look."""
