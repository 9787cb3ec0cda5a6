"""`session()`: a panel that drives one session, in a loopback or live, and shows both sides."""

from __future__ import annotations

from collections.abc import Hashable
from io import BytesIO
from typing import Any

import ipywidgets as widgets
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fixlab import plots, times
from fixlab.errors import ConfigError, StateError
from fixlab.panels import _view
from fixlab.panels._ends import Ends, EndView, ends_of
from fixlab.panels._verbs import VERBS, Input, Verb
from fixlab.panels.base import Panel, Pressed
from fixlab.plots import style
from fixlab.redact import printable
from fixlab.session.transitions import Role, SessionState
from fixlab.wire.message import Message

_ROWS = 12  # transitions in the table: what one action leads to fits
_FIGURE_ROWS = 20_000  # transitions in the staircase: more would show no more in 10 inches
_FIGURE_INCHES = (10.0, 3.0)
_LEGEND_ROWS = 6  # that fit beside the axes in so many inches, whatever stands above them
_PAD_INCHES = 0.1
_FIGURE_DPI = 150  # sharp at a laptop's width on a dense screen, and still some 50 kB
_COUNT_MAX = 1_000
_ADVANCE_SECONDS_MAX = 86_400.0
_STEPS = (("nothing", 0.0), ("10 ms", 0.01), ("100 ms", 0.1), ("1 s", 1.0), ("1 min", 60.0))
_STEP_SECONDS = 1.0  # long enough for any recovery on a loopback's default delay


def session(target: object, *, peer: object | None = None) -> SessionPanel:
    """A panel that drives `target` and shows its state, numbers, transitions and staircase.

    Parameters: `target`, a `Loopback`, or a live end: an `Initiator`, or a session of an
    `Acceptor`; `peer`, the live end on the other side when it runs in this process. With both
    ends in sight a toggle chooses which of them the buttons drive; without, the other side's
    numbers are shown as not visible from here.

    Every button calls one method of that end. On a loopback, time stands still between
    actions, so each one lets a little of it pass. Build the panel in a notebook or inside a
    coroutine: it then follows a session that moves by itself.

    Returns the panel, which a notebook shows; `press("send order")` does what a click does.
    Raises `ConfigError` for a target that cannot be driven, saying what it lacks.
    """
    return SessionPanel(ends_of(target, peer))


class SessionPanel(Panel):
    """What `session()` returns: buttons for one end, and what both ends make of it."""

    def __init__(self, ends: Ends) -> None:
        super().__init__()
        self._ends = ends
        self._orders = 0
        self._begun: int | None = None
        self._drawn: tuple[int, int] | None = None  # what the figure shows
        self._verbs = {
            verb.label: verb for verb in VERBS if ends.lab is not None or verb.group != "time"
        }
        self._build()
        self.say(
            "Start with connect & log on; then lose, skip or cut something and send on. "
            "Each button says what it does when the pointer rests on it."
        )
        self.refresh()

    # Using it ----------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The ipywidgets widget that a notebook shows."""
        return self._widget

    @property
    def buttons(self) -> tuple[str, ...]:
        """The names that `press()` takes."""
        return tuple(self._verbs)

    def press(self, name: str, value: object = None) -> Pressed:
        """Do what a click on the button `name` does; its beginning will do, as in "lose".

        `value` goes into the button's field first: a count, seconds, or a message such as
        `35=D|11=A|`. What goes wrong in the action stands in the status line, as after a
        click. Await the answer on a live session. Raises `ConfigError` for an unknown name, or
        a value the field does not take.
        """
        verb = self._verb(name)
        if value is not None:
            self._fill(verb, value)
        return self._do(verb)

    def drive(self, role: str) -> None:
        """Let the buttons drive the `initiator` or the `acceptor`, and watch the other.

        Raises `ConfigError` when that end is not in sight.
        """
        self._driven.value = self._position(role)

    def watch(self, role: str) -> None:
        """Show the staircase of the `initiator` or the `acceptor`.

        Raises `ConfigError` when that end is not in sight.
        """
        self._watched.value = self._position(role)

    def close(self) -> None:
        """Stop following; what is shown stays, and no button works any more."""
        super().close()
        for button in self._buttons.values():
            button.disabled = True
            button.tooltip = "this panel is closed"
        self.say("Closed: this panel no longer follows the session.")

    # Actions -----------------------------------------------------------------------------

    def _verb(self, name: str) -> Verb:
        wanted = name.strip().lower()
        found = [
            verb for label, verb in self._verbs.items() if label.lower().startswith(wanted)
        ]
        exact = [verb for verb in found if verb.label.lower() == wanted]
        if not wanted or len(exact or found) != 1:
            raise ConfigError(
                f"no single button {name!r}; the buttons are: {', '.join(self._verbs)}"
            )
        return (exact or found)[0]

    def _fill(self, verb: Verb, value: object) -> None:
        if not verb.field:
            raise ConfigError(f"the button {verb.label!r} takes no value, found {value!r}")
        field = self._fields[verb.label]
        if verb.field == "message":
            field.value = str(value)
            return
        # The fields would clip a number without a word.
        if not isinstance(value, int | float) or not field.min <= value <= field.max:
            raise ConfigError(
                f"{verb.label!r} takes a number from {field.min:g} to {field.max:g}, "
                f"found {value!r}"
            )
        field.value = value

    def _do(self, verb: Verb) -> Pressed:
        views = self._ends.look()
        field = self._fields.get(verb.label)
        given = Input(
            self._ends.ends[self._driven.value],
            views[self._driven.value],
            None if field is None else field.value,
            self._order,
            self._pass_time,
        )

        def call() -> object:
            reason = "this panel is closed" if self.closed else _blocked(verb, given.view)
            if reason:
                raise StateError(f"{verb.label}: {reason}")
            return verb.call(given)

        def after() -> None:
            if verb.passes_time:
                self._pass_time(self._step.value)

        return self._act(call, lambda result: verb.told(given, result), after)

    def _order(self) -> Message:
        """The next order to send: ORD-1, ORD-2 and so on, stamped by the session's clock."""
        self._orders += 1
        return Message(
            "D",
            {
                11: f"ORD-{self._orders}",
                21: 1,
                55: "ACME",
                54: 1,
                38: 100,
                40: 2,
                44: "10.25",
                60: times.format_utc(self._ends.clock.now()).decode("ascii"),
            },
        )

    def _pass_time(self, seconds: float) -> None:
        """Let virtual time pass; on a live session time passes by itself."""
        if self._ends.lab is not None:
            self._ends.lab.run(seconds=seconds)

    # What is shown -----------------------------------------------------------------------

    def _seen(self) -> Hashable:
        now = self._ends.clock.now() if self._ends.lab is not None else None
        return (
            self._ends.look(),
            self._ends.rows(),
            now,
            self._driven.value,
            self._watched.value,
        )

    def _over(self) -> bool:
        return self._ends.over()

    def _summary(self) -> str:
        return "; ".join(
            f"{_plain(view.name)} {view.role} {view.state}, NextNumIn {view.next_in}, "
            f"NextNumOut {view.next_out}"
            for view in self._ends.look()
        )

    def _static_html(self) -> str:
        # A live session's rows have times of their own in every run: they are left to frames.
        rows = self._transitions() if self._ends.lab is not None else ""
        return f"{_view.STYLE}{_view.header(self._ends.look(), self._driven.value, '')}{rows}"

    def _draw(self) -> None:
        views = self._ends.look()
        self._header.value = _view.header(views, self._driven.value, self._note(views))
        self._table.value = self._transitions()
        for label, verb in self._verbs.items():
            reason = _blocked(verb, views[self._driven.value])
            button = self._buttons[label]
            button.disabled = bool(reason)
            button.tooltip = f"Not now: {reason}. {verb.tip}" if reason else verb.tip

    def _draw_figure(self) -> None:
        drawn = (self._ends.rows(), self._watched.value)
        if drawn == self._drawn:
            return  # a figure costs some 100 ms: time that passes alone does not change it
        figure = Figure(figsize=_FIGURE_INCHES, dpi=_FIGURE_DPI, layout="constrained")
        figure.patch.set_alpha(0.0)
        frame = self._ends.frame(self._watched.value, _FIGURE_ROWS)
        axes = plots.sequence(frame, ax=figure.add_subplot(), legend_outside=True)
        _make_room(figure, axes)
        png = BytesIO()
        FigureCanvasAgg(figure).print_png(png)
        self._figure.value = png.getvalue()
        self._drawn = drawn

    def _transitions(self) -> str:
        if self._begun is None:
            self._begun = self._ends.begun()
        return _view.transitions(self._ends.last(_ROWS), self._begun, _ROWS)

    def _note(self, views: tuple[EndView, ...]) -> str:
        """What else there is to say beside the badges."""
        if self._ends.lab is not None:
            clock = times.format_utc(self._ends.clock.now()).decode("ascii")
            return f"{views[0].begin_string} · virtual time {clock[9:]} UTC"
        parts = [views[0].begin_string]
        for view in views:
            if view.reconnecting:
                parts.append(f"{view.name} is reconnecting")
            if view.state is SessionState.DISCONNECTED and view.reason:
                parts.append(f"{view.name}: {view.reason}")
        return " · ".join(parts)

    def _position(self, role: str) -> int:
        roles = [view.role for view in self._ends.look()]
        if role not in roles:
            raise ConfigError(f"no {role!r} in sight, only: {', '.join(roles)}")
        return roles.index(Role(role))

    # The widgets -------------------------------------------------------------------------

    def _build(self) -> None:
        views = self._ends.look()
        options = [
            (f"{view.role} {_plain(view.name)}", position)
            for position, view in enumerate(views)
        ]
        # What an end sends and loses shows at the other one.
        self._driven: Any = widgets.ToggleButtons(options=options, value=0)
        self._watched: Any = widgets.ToggleButtons(options=options, value=len(options) - 1)
        for toggle in (self._driven, self._watched):
            toggle.style.button_width = "auto"
            toggle.layout.width = "auto"
        self._driven.observe(self._on_driven, "value")
        self._watched.observe(lambda _: self._in_loop(self.refresh), "value")
        self._step: Any = widgets.Dropdown(
            options=_STEPS,
            value=_STEP_SECONDS,
            layout={"width": "90px"},
            tooltip="How much virtual time passes behind each action",
        )
        self._header: Any = widgets.HTML()
        self._table: Any = widgets.HTML()
        self._figure: Any = widgets.Image(
            format="png",
            layout={"width": "100%", "max_width": "1100px", "object_fit": "contain"},
        )
        self._fields: dict[str, Any] = {}
        self._buttons: dict[str, Any] = {}
        for verb in self._verbs.values():
            self._buttons[verb.label] = self._button(verb)
            if verb.field:
                self._fields[verb.label] = _field(verb)
        self._widget: Any = widgets.VBox(
            [
                widgets.HTML(_view.STYLE),
                self._header,
                *self._rows_of_controls(two_ends=len(views) == 2),
                self.status,
                *self._figure_rows(two_ends=len(views) == 2),
                self._table,
            ]
        )

    def _button(self, verb: Verb) -> Any:
        button = widgets.Button(
            description=verb.label, tooltip=verb.tip, layout={"width": "auto"}
        )
        button.on_click(lambda _: self._in_loop(lambda: self._do(verb)))
        return button

    def _rows_of_controls(self, *, two_ends: bool) -> list[Any]:
        groups = []
        if two_ends:
            groups.append(_group("drive end", [self._driven]))
        for name in ("session", "traffic", "trouble", "time"):
            controls = self._controls(name)
            if name == "time" and controls:
                controls = [_caption("each action lets pass"), self._step, *controls]
            if controls:
                groups.append(_group(name, controls))
        flow = {"flex_flow": "row wrap"}
        own = widgets.HBox(self._controls("own message"), layout={"width": "100%"})
        return [widgets.HBox(groups, layout=flow), own]

    def _controls(self, group: str) -> list[Any]:
        """The buttons of a group, each with its field behind it."""
        controls = []
        for verb in self._verbs.values():
            if verb.group == group:
                controls.append(self._buttons[verb.label])
                controls += [self._fields[verb.label]] if verb.field else []
        return controls

    def _figure_rows(self, *, two_ends: bool) -> list[Any]:
        if not two_ends:
            return [self._figure]
        return [widgets.HBox([_caption("staircase of"), self._watched]), self._figure]

    def _on_driven(self, change: Any) -> None:
        # Runs for clicks and for drive(); the observer of the other toggle may refresh too,
        # which costs nothing, since drawing is paced.
        self._watched.value = len(self._ends.ends) - 1 - change["new"]
        self._in_loop(self.refresh)


def _make_room(figure: Figure, axes: Axes) -> None:
    """Let the figure grow until the axes are as tall as the legend beside them.

    A long story has both a long legend and many rows of labels above the axes.
    """
    legend = axes.get_legend()
    if legend is None or len(legend.get_texts()) <= _LEGEND_ROWS:
        return  # an empty frame has none, and measuring costs as much as drawing
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    x_axis = axes.xaxis.get_tightbbox()
    assert x_axis is not None
    above = figure.bbox.height - axes.bbox.y1
    below = axes.bbox.y0 - x_axis.y0 + _PAD_INCHES * figure.dpi
    width, height = figure.bbox.size
    needed = max(height, above + legend.get_window_extent().height + below)
    box = axes.get_position()
    # The engine gives a legend that is taller than the axes room below them, so it stops here.
    figure.set_layout_engine("none")
    figure.set_size_inches(width / figure.dpi, needed / figure.dpi)
    axes.set_position((box.x0, below / needed, box.width, 1 - (above + below) / needed))


def _blocked(verb: Verb, view: EndView) -> str:
    """Why the button makes no sense now, or nothing."""
    return f"{view.name} is closed; make a new one" if view.closed else verb.blocked(view)


def _field(verb: Verb) -> Any:
    if verb.field == "count":
        return widgets.BoundedIntText(
            value=1, min=1, max=_COUNT_MAX, layout={"width": "56px"}, tooltip="how many"
        )
    if verb.field == "seconds":
        return widgets.BoundedFloatText(
            value=30.0,
            min=0.0,
            max=_ADVANCE_SECONDS_MAX,
            layout={"width": "70px"},
            tooltip="seconds of virtual time",
        )
    return widgets.Text(
        value="35=D|11=MINE-1|55=ACME|54=1|38=100|40=1|",
        layout={"flex": "1 1 auto", "max_width": "620px"},
        tooltip="a message as people read it: 35= first, bars between the fields",
    )


def _caption(text: str) -> Any:
    return widgets.HTML(f'<div class="fixlab-caption">{text}</div>')


def _group(name: str, controls: list[Any]) -> Any:
    return widgets.HBox(
        [_caption(f"<b>{name}</b>"), *controls],
        layout={"margin": "0 18px 0 0", "align_items": "center"},
    )


def _plain(name: str) -> str:
    return style.shorten(printable(name), 24)
