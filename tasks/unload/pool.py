"""A pool of things that are dear to open: lent to one thread at a time, opened when none is idle."""

import contextlib
import queue
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Give back what is held."""


T = TypeVar("T", bound=Closable)


class Pool(Generic[T]):
    """Lends items; one that saw an exception is closed, not lent again. As many are open as were ever lent at once."""

    def __init__(self, open_one: Callable[[], T]) -> None:
        self._open_one = open_one
        self._idle: queue.LifoQueue[T] = queue.LifoQueue()

    @contextlib.contextmanager
    def lend(self) -> Iterator[T]:
        """One item, for the calling thread alone."""
        try:
            item = self._idle.get_nowait()
        except queue.Empty:
            item = self._open_one()
        try:
            yield item
        except BaseException:
            item.close()
            raise
        self._idle.put(item)

    def close(self) -> None:
        """Close the idle items."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
