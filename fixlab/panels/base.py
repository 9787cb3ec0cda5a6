"""Panel: a widget with a one-line text form, a static HTML form and a status line.

A panel belongs to the event loop that runs when it is built. Its ticking task looks whether
anything has changed; drawing is paced, so a busy session costs a notebook no more than a calm
one. Without a running loop, as in plain Python, it draws after each action only.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Hashable
from typing import Any

try:
    import ipywidgets as widgets
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"panels need {error.name}: install fixlab with its extra, as fixlab[lab]",
        name=error.name,
    ) from error

from fixlab.errors import ConfigError
from fixlab.redact import escape, mask

TABLE_SECONDS = 0.1  # tables and numbers change at most ten times a second
FIGURE_SECONDS = 0.2  # figures at most five times, since each is sent whole
_DRAWING_SHARE = 5  # drawing takes at most a fifth of the loop's time, however slow it is
_TICK_SECONDS, _IDLE_SECONDS = 0.1, 0.5  # how often to look, soon after a change and later

_STATUS = (
    '<div role="status" aria-live="polite" class="fixlab-status{}">{}</div>'  # class, text
)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread now, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Pressed:
    """What came of one press. Await it where the action needs the network; its repr is the
    status line, `ok` says whether it worked, `result` is what the library call returned.
    """

    def __init__(self) -> None:
        self.text = "under way"
        self.ok: bool | None = None  # None while it is under way
        self.result: object = None
        self._task: asyncio.Task[None] | None = None

    def __await__(self) -> Generator[Any, None, Pressed]:
        if self._task is not None:
            # Whoever stops waiting does not call the action off.
            yield from asyncio.shield(self._task).__await__()
        return self

    def __repr__(self) -> str:
        return self.text


class Paced:
    """Does something at most once an interval: at once when that has passed, else later."""

    def __init__(
        self,
        do: Callable[[], None],
        *,
        interval_seconds: float,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self._do = do
        self._interval = interval_seconds
        self._loop = loop
        self._due = 0.0
        self._waiting: asyncio.TimerHandle | None = None

    def request(self) -> None:
        """Have it done; any number of requests before it is due count as one."""
        loop = self._loop
        if loop is None or not loop.is_running():
            self._do()
        elif self._waiting is None:
            wait = self._due - loop.time()
            if wait > 0:
                self._waiting = loop.call_later(wait, self._run)
            else:
                self._run()

    def close(self) -> None:
        """Forget what is still to be done."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _run(self) -> None:
        assert self._loop is not None
        self._waiting = None
        began = self._loop.time()
        self._do()
        ended = self._loop.time()
        self._due = ended + max(self._interval, (ended - began) * (_DRAWING_SHARE - 1))


class Panel(ABC):
    """Base of all panels: `widget`, `press()`, `refresh()`, `close()`, and what is shown.

    A subclass says what it shows (`_seen`, `_summary`, `_static_html`) and how it is drawn
    (`_draw`, `_draw_figure`), and registers what each button does with `_act`. Whatever goes
    wrong in an action or in drawing stands in the status line, and `error` keeps the
    exception itself.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.closed = False
        self.status: Any = widgets.HTML()
        self._loop = running_loop()
        self._tables = Paced(
            self._guarded(self._draw), interval_seconds=TABLE_SECONDS, loop=self._loop
        )
        self._figures = Paced(
            self._guarded(self._draw_figure),
            interval_seconds=FIGURE_SECONDS,
            loop=self._loop,
        )
        self._tasks: set[asyncio.Task[None]] = set()  # a task nobody refers to may vanish
        self._watch: asyncio.Task[None] | None = None
        self._shown: Hashable = None

    # What a subclass provides ------------------------------------------------------------

    @property
    @abstractmethod
    def widget(self) -> Any:
        """The ipywidgets widget that a notebook shows."""

    @abstractmethod
    def _seen(self) -> Hashable:
        """All that the panel shows, cheap to work out; equal as long as nothing changed."""

    @abstractmethod
    def _summary(self) -> str:
        """One line without times, addresses or ports."""

    @abstractmethod
    def _static_html(self) -> str:
        """The present state as HTML that needs no kernel."""

    @abstractmethod
    def _draw(self) -> None:
        """Bring tables, numbers and buttons up to date."""

    @abstractmethod
    def _draw_figure(self) -> None:
        """Bring the figure up to date."""

    def _over(self) -> bool:
        """Whether nothing can change any more that the panel shows."""
        return False

    # For everybody -----------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the present state; soon rather than now when it was drawn a moment ago."""
        if self.closed:
            return
        self._shown = self._seen()
        self._tables.request()
        self._figures.request()
        self._keep_watching()

    def close(self) -> None:
        """Show the present state once more, then stop following."""
        if not self.closed:
            # A change that still waits for its turn to be drawn would never be shown.
            self._guarded(self._draw)()
            self._guarded(self._draw_figure)()
        self.closed = True
        self._tables.close()
        self._figures.close()
        if self._watch is not None:
            loop = self._watch.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._watch.cancel)

    def say(self, text: str, *, error: bool = False) -> None:
        """Put `text` on the status line, escaped, secrets masked."""
        shown = escape(mask(text))
        self.status.value = _STATUS.format(
            " fixlab-error" if error else "", f"Error: {shown}" if error else shown
        )

    def __repr__(self) -> str:
        return f"<Panel {self._summary()}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = dict(self.widget._repr_mimebundle_(include=include, exclude=exclude))
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = self._static_html()
        return bundle

    # Actions -----------------------------------------------------------------------------

    def _act(
        self,
        call: Callable[[], object],
        told: Callable[[object], str],
        after: Callable[[], None],
    ) -> Pressed:
        """Make one library call; on the loop if it returns an awaitable. Nothing escapes.

        `told` puts the call's result in words for the status line; `after` runs when the call
        has succeeded.
        """
        pressed = Pressed()
        try:
            result = call()
            if not isinstance(result, Awaitable):
                self._succeed(pressed, result, told, after)
                return pressed
            if self._loop is None or not self._loop.is_running():
                if asyncio.iscoroutine(result):
                    result.close()
                raise ConfigError(
                    "this action needs the event loop in which the panel was built, and none "
                    "is running; build the panel in a notebook or inside a coroutine"
                )
            pressed._task = self._schedule(self._await(pressed, result, told, after))
        except Exception as error:  # noqa: BLE001 - shown and kept: see _fail
            self._fail(error, pressed)
        return pressed

    async def _await(
        self,
        pressed: Pressed,
        result: Awaitable[object],
        told: Callable[[object], str],
        after: Callable[[], None],
    ) -> None:
        try:
            self._succeed(pressed, await result, told, after)
        except Exception as error:  # noqa: BLE001 - shown and kept: see _fail
            self._fail(error, pressed)

    def _succeed(
        self,
        pressed: Pressed,
        result: object,
        told: Callable[[object], str],
        after: Callable[[], None],
    ) -> None:
        after()
        pressed.text, pressed.ok, pressed.result = mask(told(result)), True, result
        self.error = None
        self.say(pressed.text)
        self.refresh()

    def _fail(self, error: Exception, pressed: Pressed | None = None) -> None:
        """Show what went wrong: a notebook shows nothing of an exception in a callback."""
        self.error = error
        text = mask(f"{type(error).__name__}: {error}")
        self.say(text, error=True)
        if pressed is not None:
            pressed.text, pressed.ok = text, False
            self._guarded(self.refresh)()

    def _guarded(self, do: Callable[[], None]) -> Callable[[], None]:
        def guarded() -> None:
            try:
                do()
            except Exception as error:  # noqa: BLE001 - shown and kept: see _fail
                self._fail(error)

        return guarded

    def _in_loop(self, do: Callable[[], object]) -> None:
        """Run a widget's callback on the panel's loop, wherever the kernel calls it."""
        loop = self._loop
        if loop is None or not loop.is_running() or running_loop() is loop:
            do()
        else:
            loop.call_soon_threadsafe(do)

    # Watching ----------------------------------------------------------------------------

    def _schedule(self, coroutine: Any) -> asyncio.Task[None]:
        assert self._loop is not None
        task: asyncio.Task[None] = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _keep_watching(self) -> None:
        """Start the ticking task, also when an interrupted cell has taken it along."""
        loop = self._loop
        if loop is None or running_loop() is not loop or self._over():
            return
        if self._watch is None or self._watch.done():
            self._watch = self._schedule(self._ticking())

    async def _ticking(self) -> None:
        pause = _TICK_SECONDS
        look = self._guarded(self._look)
        while not self.closed:
            await asyncio.sleep(pause)
            before = self._shown
            look()
            if self._over():
                return
            calm = self._shown == before
            pause = min(pause * 1.5, _IDLE_SECONDS) if calm else _TICK_SECONDS

    def _look(self) -> None:
        if self._seen() != self._shown:
            self.refresh()
