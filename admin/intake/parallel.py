"""The same work on many chunks by several processes: results in order, memory flat.

Workers are forked, so they inherit whatever the work needs, and only chunks and results travel. They live as long
as their pipe: those of a starter that was killed end by themselves. No worker may use a connection it inherited.
"""

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

#: whoever hands out chunks and takes in results could not keep more of them busy
MOST_WORKERS: Final = 4

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


def in_order(work: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
    """Yield `work(chunk)` for each chunk, done by a worker for each core unless there are few chunks.

    What a worker raises is raised here; `ChildProcessError` when one ends without an answer.
    """
    waiting = iter(chunks)
    workers = min(MOST_WORKERS, len(os.sched_getaffinity(0)))
    first = list(islice(waiting, workers + 1))
    if workers == 1 or len(first) <= workers:
        yield from map(work, chain(first, waiting))
    else:
        yield from _spread(work, chain(first, waiting), workers)


def _spread(work: Callable[[Any], Any], chunks: Iterator[Any], workers: int) -> Iterator[Any]:
    """By turns, one chunk each: while a worker has one, the pipe is free for it to answer."""
    with ExitStack() as stack:
        # the collector writes to every page it looks at, and a page written to is shared no longer
        gc.freeze()
        stack.callback(gc.unfreeze)
        pipes = [stack.enter_context(_worker(work)) for _ in range(workers)]
        sent = 0
        for sent, chunk in enumerate(chunks, 1):
            pipe = pipes[sent % workers]
            done = _received(pipe) if sent > workers else None
            pipe.send(chunk)
            if sent > workers:
                yield done
        for number in range(max(0, sent - workers) + 1, sent + 1):
            yield _received(pipes[number % workers])


@contextmanager
def _worker(work: Callable[[Any], Any]) -> "Iterator[Connection]":
    """Our end of the pipe to a process that does `work` to whatever it is sent."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs, ours), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _serve(work: Callable[[Any], Any], pipe: "Connection", starters_end: "Connection") -> None:
    starters_end.close()  # held open here too, it would outlive the starter, and so would we
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            chunk = pipe.recv()
            try:
                answer = True, work(chunk)
            except Exception as error:  # noqa: BLE001 -- raised again by the starter
                answer = False, error
            pipe.send(answer)


def _received(pipe: "Connection") -> Any:
    try:
        good, answer = pipe.recv()
    except EOFError:
        raise ChildProcessError("a worker ended in the midst of its work; is there memory enough?") from None
    if not good:
        raise answer
    return answer
