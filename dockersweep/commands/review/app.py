"""The screen of a review."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from dockersweep.commands.review.branches import branches_of
from dockersweep.commands.review.dialogs import Question, Reading, Typing
from dockersweep.commands.review.driver import StandardErrorDriver
from dockersweep.commands.review.lines import Line, Lines
from dockersweep.commands.review.painting import Painter
from dockersweep.commands.review.view import PlanTree
from dockersweep.errors import RefusedError
from dockersweep.model.inventory import ObjectRef
from dockersweep.model.plan import Decision, Plan
from dockersweep.policy.planning.choice import Choice
from dockersweep.report.headline import engine_sentence, warning_lines
from dockersweep.report.text import printable, shorten_middle

_KEYS = "space tick  / filter  e explain  k protect  s save  enter {}  q quit"
_FILTERING = "_   (a part of a name or the beginning of an id; enter done, escape all again)"
_FILTERED = "   (escape shows all again)"
_MARGIN = 6
"""Columns around a text to read."""
_NAME = 72
"""Columns for a name in a question: some are so long that they would leave no room for the answer."""


class Actions(Struct, frozen=True):
    """The actions of the screen besides showing the plan."""

    verb: str
    """The action of enter: "sweep", "apply", or "write"."""
    ask: Callable[[Plan], str]
    """Returns the question before that action; raises RefusedError where it cannot be done any more."""
    explain: Callable[[ObjectRef, int], str]
    """Returns the printable explanation of an object in that many columns."""
    save: Callable[[Plan, str], str]
    """Writes a plan to a path; returns what it did."""
    save_as: str
    """The suggested path."""
    protect: Callable[[Decision, str], str]
    """Adds a protection of an object to a policy file; returns what it did."""
    policy_path: str
    """The suggested path; empty if no policy file is in force."""


class Chosen(Struct, frozen=True):
    """The plan that the user has confirmed."""

    plan: Plan
    unticked: frozenset[ObjectRef]


class ReviewApp(App[Chosen]):
    """Shows a plan, in which the user unticks objects to keep. The result is the confirmed plan, None for no."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "dockersweep"
    CSS = """
    Screen { background: ansi_default; overflow: hidden; }
    #engine, #summary, #heading, #keys { height: auto; }
    #summary { max-height: 3; }
    #heading { text-style: underline; padding-left: 1; }
    #detail { height: auto; min-height: 2; max-height: 4; border-top: ascii ansi_default; }
    #filter { display: none; height: auto; max-height: 2; }
    PlanTree { height: 1fr; min-height: 3; scrollbar-size-vertical: 1; overflow-x: hidden; }
    ModalScreen { align: center middle; background: ansi_default; }
    .dialog { width: 76; max-width: 100%; height: auto; max-height: 100%; border: ascii ansi_default; padding: 0 1; }
    .reading { width: 100%; height: 100%; border: ascii ansi_default; padding: 0 1; }
    #text { height: auto; }
    .keys { margin-top: 1; }
    .dialog Input { border: none; height: 1; padding: 0; margin-top: 1; }
    #problem { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", priority=True),
        Binding("ctrl+z", "suspend_process", priority=True),
    ]

    def __init__(self, choice: Choice, actions: Actions) -> None:
        """Begin with the ticks of the choice."""
        super().__init__(driver_class=StandardErrorDriver, ansi_color=True)
        self.is_interrupted = False
        """Whether Ctrl-C ended it."""
        self._choice = choice
        self._review_actions = actions
        self._lines = Lines(branches_of(choice.plan), choice)
        self._painter = Painter(self._lines, choice)
        # Kept here, because a query finds only widgets of the open dialog.
        keys = {
            "e": self._explain,
            "k": self._protect,
            "s": self._save,
            "w": self._warn,
            "enter": self._go,
            "q": self.exit,
        }
        self._tree = PlanTree(self._lines, self._painter, self, keys)
        self._summary = Static(id="summary", markup=False)
        self._heading = Static(id="heading", markup=False)
        self._detail = Static(id="detail", markup=False)
        self._filter_line = Static(id="filter", markup=False)

    @property
    def tree_lines(self) -> Sequence[Line]:
        """All lines of the tree, visible or not."""
        return self._lines.lines

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        plan = self._choice.plan
        yield Static(printable(engine_sentence(plan.engine, plan.taken_at)), id="engine", markup=False)
        yield self._summary
        yield self._heading
        yield self._tree
        yield self._detail
        yield self._filter_line
        yield Static(_KEYS.format(self._review_actions.verb), id="keys", markup=False)

    def on_mount(self) -> None:
        """Focus the tree."""
        self._tree.focus()
        # After Ctrl-Z and fg the terminal is empty, and textual paints only what has changed.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(repaint=True, layout=True))
        self._update_texts()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out the heading in the new width."""
        self._update_heading(event.size.width)

    def _update_texts(self) -> None:
        self._summary.update(printable(self._painter.summary()))
        self._update_heading(self.size.width)

        self.moved()

    def _update_heading(self, width: int) -> None:
        self._heading.update(self._painter.heading(max(0, width - 1)))

    def moved(self) -> None:
        """Show the details of the cursor's line."""
        self._note(self._painter.detail(self._tree.line))

    def tick(self, line: Line) -> None:
        """Tick the objects of a line if none is ticked, else untick them."""
        if line.branch.is_kept:
            self._note("The policy keeps it; only what is to be removed can be ticked.")
            return
        leaves = self._lines.shown(line.branch) if line.leaf is None else (line.leaf,)
        staying = self._choice.staying
        if line.leaf is not None and staying.get(line.leaf.ref) is not None:
            self._note(f"{self._painter.why(line.leaf)}: tick that first.")
            return
        ticks = all(leaf.ref in staying for leaf in leaves)
        self._change([leaf.ref for leaf in leaves], ticks=ticks)
        if ticks and all(leaf.ref in self._choice.staying for leaf in leaves):
            self._note("Needed by objects that stay: tick those first.")

    def _change(self, refs: list[ObjectRef], *, ticks: bool) -> None:
        self._choice.change(refs, ticks=ticks)
        self._lines.arrange()
        self._tree.arranged()
        self._update_texts()

    def _note(self, text: str) -> None:
        self._detail.update(printable(text))

    def filtered(self, query: str) -> None:
        """Show the filter's text."""
        is_typing = self._tree.is_typing
        self._filter_line.display = bool(query) or is_typing
        self._filter_line.update(printable(f"filter: {query}{_FILTERING if is_typing else _FILTERED}"))
        self._update_texts()

    def _explain(self) -> None:
        """Show why an object goes or stays."""
        line = self._tree.line
        if line is None or line.leaf is None:
            self._note("Go to one object to have it explained.")
            return
        self.push_screen(Reading(self._review_actions.explain(line.leaf.ref, self.size.width - _MARGIN)))

    def _warn(self) -> None:
        """Show the warnings about what could not be read."""
        warnings = self._choice.plan.warnings
        if warnings:
            self.push_screen(Reading(warning_lines(warnings, self.size.width - _MARGIN)))

    def _save(self) -> None:
        """Save the plan with the ticked objects."""
        actions, plan = self._review_actions, self._choice.chosen()
        prompt = "Save the plan of what is ticked to this file (an existing file is replaced):"
        self.push_screen(Typing(prompt, actions.save_as, lambda path: actions.save(plan, path)), self._done)

    def _protect(self) -> None:
        """Untick an object, and protect it in a policy file."""
        line = self._tree.line
        if line is None or line.leaf is None:
            self._note("Go to one object to keep it.")
            return
        leaf, actions = line.leaf, self._review_actions
        hint = "" if actions.policy_path else " (none is in force; type the path of one)"
        name = shorten_middle(printable(leaf.name), _NAME)
        prompt = f"Always keep {name}: add its name to protect.names in the policy file{hint}:"

        def kept(done: str | None) -> None:
            if done is not None and not line.branch.is_kept:
                self._change([leaf.ref], ticks=False)
            self._done(done)

        self.push_screen(Typing(prompt, actions.policy_path, lambda path: actions.protect(leaf.decision, path)), kept)

    def _done(self, done: str | None) -> None:
        if done is not None:
            self._note(done)

    def action_interrupt(self) -> None:
        """End as on Ctrl-C elsewhere."""
        self.is_interrupted = True
        self.exit()

    def _go(self) -> None:
        """Ask for confirmation, and end with the ticked objects."""
        over = self._choice.over_limits()
        if over:
            self._note(f"Over a limit: {'; '.join(over)}. Untick some, or raise the limit.")
            return
        plan = self._choice.chosen()
        if not plan.removals:
            self._note("Nothing is ticked. q ends the review, and removes nothing.")
            return

        try:
            asked = self._review_actions.ask(plan)
        except RefusedError as error:
            self._note(f"{error.reason[:1].upper()}{error.reason[1:]}.")
            return
        chosen = Chosen(plan, self._choice.unticked)

        def answered(yes: bool | None) -> None:
            if yes:
                self.exit(chosen)

        self.push_screen(Question(asked), answered)
