"""Processes that read parts of logs beside this one.

They are plain ones that are given work through their standard input, so they do not import the
program that started them: it works the same from a notebook, from a script without a guard
around its main part, and from a prompt, and no lock of another thread is ever copied into them,
as a fork would. They import NumPy, and not pandas, and are there after some tenths of a second;
until then, and from then on, this process reads as well. Once started they wait a while for
more work, so that a second log need not wait for them again; then they end by themselves, and
with this process at the latest.
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import FileIO
from typing import BinaryIO, cast

from fixlab import redact
from fixlab.errors import FixLabError, StateError
from fixlab.logs._segments import Part, Segment, read

_SERVE = "from fixlab.logs._workers import serve; serve()"
_AHEAD = 8  # parts for each process that may wait for one before them
_PIPE_BYTES = 1 << 20  # in the pipe of a worker, which goes on reading meanwhile
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, where there is one
_SIZE = 8  # bytes of a number on the pipe
_READY = b"ready"
IDLE_SECONDS = 30.0  # without work, until a worker ends
_SURE_SECONDS = 20.0  # in which it surely has not

Result = Segment | Exception


def serve() -> None:
    """What a worker does: reads parts until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who waits
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever is printed must not get among the results
    sys.path[:] = pickle.load(source)
    target.write(_READY)
    target.flush()
    while True:
        idle = threading.Timer(IDLE_SECONDS, os._exit, (0,))
        idle.daemon = True
        idle.start()
        try:
            part, tags, hidden = pickle.load(source)
        except EOFError:  # who gave it work is gone
            return
        idle.cancel()
        # Texts are kept as they may be shown.
        redact.reveal(*redact.hidden() - hidden)
        redact.hide(*hidden)
        _send(_result(part, tags), target)


def _result(part: Part, tags: Sequence[int]) -> Result:
    try:
        return read(part, tags)
    except FixLabError as error:
        return error


def _send(result: Result, target: BinaryIO) -> None:
    """A result, and its arrays as they are behind it."""
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(result, protocol=5, buffer_callback=buffers.append)
    raws = [buffer.raw() for buffer in buffers]
    sizes = [len(text), len(raws), *map(len, raws)]
    target.write(b"".join(size.to_bytes(_SIZE, "big") for size in sizes))
    target.write(text)
    for raw in raws:
        target.write(raw)
    target.flush()


def _received(source: FileIO) -> Result:
    length, count = (int.from_bytes(_exactly(source, _SIZE), "big") for _ in range(2))
    sizes = [int.from_bytes(_exactly(source, _SIZE), "big") for _ in range(count)]
    text = _exactly(source, length)
    result: Result = pickle.loads(text, buffers=[_exactly(source, size) for size in sizes])
    return result


def _exactly(source: FileIO, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while len(view):
        got = source.readinto(view)
        if not got:
            raise EOFError("it ended in the middle of a result")
        view = view[got:]
    return data


class _Worker:
    """One process."""

    def __init__(self) -> None:
        # One core each: what NumPy would start for itself only gets in the way.
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._into = cast(BinaryIO, self._process.stdin)
        self._out = cast(FileIO, self._process.stdout)
        self._started = False
        self.since = time.monotonic()  # it had nothing to do
        with suppress(ImportError, OSError):  # elsewhere the pipe is as large as it is
            import fcntl

            fcntl.fcntl(self._out.fileno(), _SET_PIPE_SIZE, _PIPE_BYTES)

    def start(self) -> None:
        """Wait until it can be given work. Raises `OSError` or `EOFError` when it died."""
        if not self._started:
            self._into.write(pickle.dumps(sys.path))
            _exactly(self._out, len(_READY))
            self._started = True

    def read(self, part: Part, tags: Sequence[int]) -> Result:
        """Have it read a part. Raises `OSError` or `EOFError` when it died."""
        self._into.write(pickle.dumps((part, tags, redact.hidden())))
        return _received(self._out)

    @property
    def ended(self) -> int | None:
        """The code it ended with; None while it runs."""
        return self._process.poll()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()
        for pipe in (self._into, self._out):
            with suppress(OSError):
                pipe.close()


_idle: list[_Worker] = []


def end_idle() -> None:
    """End the processes that wait for more work."""
    while _idle:
        _idle.pop().end()


atexit.register(end_idle)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's


def _worker() -> _Worker:
    """One that waits for work, or else a new one."""
    while True:
        try:
            worker = _idle.pop()
        except IndexError:
            return _Worker()
        if worker.ended is None and time.monotonic() < worker.since + _SURE_SECONDS:
            return worker
        worker.end()


class Workers:
    """So many more processes, as a context manager."""

    def __init__(self, count: int) -> None:
        self._workers = [_worker() for _ in range(count)]
        self._whole = False  # whether all that was asked of them was answered

    def read(self, parts: Sequence[Part], tags: Sequence[int]) -> Iterator[Segment]:
        """The segments of all parts, in order.

        Raises what reading a part raises, and `StateError` when a worker dies.
        """
        self._whole = False
        work = _Work(len(parts), _AHEAD * (len(self._workers) + 1))

        def feed(worker: _Worker) -> None:
            try:
                worker.start()  # until then others read
                while (place := work.taken(wait=True)) is not None:
                    work.done(place, worker.read(parts[place], tags))
            except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
                code = worker.ended
                how = repr(error) if code is None else f"it ended with {code}"
                work.fail(StateError(f"a worker of read_log died: {how}"))

        threads = [
            threading.Thread(target=feed, args=(worker,), daemon=True)
            for worker in self._workers
        ]
        for thread in threads:
            thread.start()
        try:
            for place in range(len(parts)):
                while (result := work.result(place)) is None:
                    mine = work.taken(wait=False)
                    if mine is None:
                        work.wait_for(place)
                    else:
                        work.done(mine, _result(parts[mine], tags))
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            work.stop()
        for thread in threads:
            thread.join()
        self._whole = True

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None and self._whole:
            for worker in self._workers:
                worker.since = time.monotonic()
            _idle.extend(self._workers)
            return
        for worker in self._workers:
            worker.end()


class _Work:
    """Which parts are still to be read; none is taken long before those that it waits for."""

    def __init__(self, count: int, ahead: int) -> None:
        self._count, self._ahead = count, ahead
        self._next = self._given = 0
        self._results: dict[int, Result] = {}
        self._failure: StateError | None = None
        self._changed = threading.Condition()

    def taken(self, *, wait: bool) -> int | None:
        """The next part to read; None when there is none, or (without `wait`) not yet."""
        with self._changed:
            while self._next < self._count and self._next >= self._given + self._ahead:
                if not wait:
                    return None
                self._changed.wait()
            if self._next >= self._count:
                return None
            self._next += 1
            return self._next - 1

    def done(self, place: int, result: Result) -> None:
        """It was read, or could not be."""
        with self._changed:
            self._results[place] = result
            self._changed.notify_all()

    def fail(self, failure: StateError) -> None:
        """A worker is gone: with it, all is."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def wait_for(self, place: int) -> None:
        """Until it is done, by whoever took it."""
        with self._changed:
            self._changed.wait_for(lambda: place in self._results or self._failure is not None)

    def result(self, place: int) -> Result | None:
        """Hand it over when it is done; one more may be taken."""
        with self._changed:
            if self._failure is not None:
                return self._failure
            if place in self._results:
                self._given = place + 1
                self._changed.notify_all()
            return self._results.pop(place, None)

    def stop(self) -> None:
        """Nothing more is taken."""
        with self._changed:
            self._next = self._count
            self._changed.notify_all()
