"""No module outside words/ reads a sentence: what is made by words/ is joined, written and shown, and never searched.

Followed are the results of what words/ has, through names, strings that are put together and functions that return
them. Where a user asks for text, in a case of `policy test`, it is searched for; that is said here.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import dockersweep

ROOT = Path(dockersweep.__file__).parent
SEARCHING = frozenset(
    [
        "startswith",
        "endswith",
        "removeprefix",
        "removesuffix",
        "partition",
        "rpartition",
        "split",
        "rsplit",
        "splitlines",
        "find",
        "rfind",
        "index",
        "rindex",
        "count",
        "replace",
        "strip",
        "translate",
    ]
)
"""Methods of a string that look into it."""
PATTERNS = frozenset({"match", "search", "fullmatch", "findall", "finditer", "sub", "split"})
JOINING = frozenset({"join", "format", "lower", "upper", "fromkeys"})
COLLECTING = frozenset({"map", "tuple", "list", "set", "sorted", "next", "iter", "str", "filter"})
MAKING = "dockersweep.words.reasons"
ALLOWED: Mapping[str, str] = {"policy/testing": "a case may ask for text"}

Functions = frozenset[str]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module outside words/ that can know what makes sentences, by its path."""
    for path in sorted(ROOT.rglob("*.py")):
        name, source = path.relative_to(ROOT).as_posix(), path.read_text()
        if not name.startswith("words/") and MAKING in source:
            yield name, ast.parse(source)


def makers_in(tree: ast.Module) -> Functions:
    """The names by which a module knows what makes sentences."""
    return frozenset(
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(MAKING)
        for alias in node.names
    )


class _Sentences:
    """Which expressions of a module hold sentences."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.makers = set(makers_in(tree))
        self.names: dict[ast.AST, set[str]] = {}
        """The names that hold sentences, of each function."""
        before = -1
        while before != (before := len(self.makers) + sum(map(len, self.names.values()))):
            for function in self._functions():
                self._follow(function)

    def _functions(self) -> Iterator[ast.FunctionDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef))

    def _follow(self, function: ast.FunctionDef) -> None:
        names = self.names.setdefault(function, set())
        for node in ast.walk(function):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if node.value is not None and self.holds(node.value, names):
                    names.update(target.id for target in targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.For | ast.comprehension):
                if isinstance(node.target, ast.Name) and self.holds(node.iter, names):
                    names.add(node.target.id)
            elif isinstance(node, ast.Return | ast.Yield | ast.YieldFrom):
                if node.value is not None and self.holds(node.value, names):
                    self.makers.add(function.name)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                # What is appended to a list makes it one of sentences.
                is_added = node.func.attr in ("append", "extend", "add", "insert")
                if (
                    is_added
                    and isinstance(node.func.value, ast.Name)
                    and any(self.holds(one, names) for one in node.args)
                ):
                    names.add(node.func.value.id)

    def holds(self, node: ast.AST, names: set[str]) -> bool:
        """Whether an expression is a sentence, or a collection of some."""
        if isinstance(node, ast.Name):
            return node.id in names or node.id in self.makers
        if isinstance(node, ast.Call):
            return self._call_holds(node, names)
        if isinstance(node, ast.JoinedStr):
            return any(self.holds(one.value, names) for one in node.values if isinstance(one, ast.FormattedValue))
        if isinstance(node, ast.BinOp):
            return self.holds(node.left, names) or self.holds(node.right, names)
        if isinstance(node, ast.IfExp):
            return self.holds(node.body, names) or self.holds(node.orelse, names)
        if isinstance(node, ast.BoolOp):
            return any(self.holds(one, names) for one in node.values)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return any(self.holds(one, names) for one in node.elts)
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            return self.holds(node.elt, names)
        if isinstance(node, ast.Starred | ast.NamedExpr | ast.Subscript):
            return self.holds(node.value, names)
        return False

    def _call_holds(self, node: ast.Call, names: set[str]) -> bool:
        if isinstance(node.func, ast.Name):
            if node.func.id in self.makers:
                return True
            return node.func.id in COLLECTING and any(self.holds(one, names) for one in node.args)
        if not isinstance(node.func, ast.Attribute):
            return False
        if node.func.attr in self.makers and isinstance(node.func.value, ast.Name) and node.func.value.id == "self":
            return True
        return node.func.attr in JOINING and any(self.holds(one, names) for one in (node.func.value, *node.args))


def reads_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The lines of a module that look into a sentence, and how."""
    sentences = _Sentences(tree)
    for function, names in sentences.names.items():
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in SEARCHING and sentences.holds(node.func.value, names):
                    yield node.lineno, node.func.attr
                if node.func.attr in PATTERNS and any(sentences.holds(one, names) for one in node.args):
                    yield node.lineno, "a regular expression"
            if isinstance(node, ast.Compare):
                for operator, right in zip(node.ops, node.comparators, strict=True):
                    if isinstance(operator, ast.In | ast.NotIn) and sentences.holds(right, names):
                        yield node.lineno, "in"
                    if isinstance(operator, ast.Eq | ast.NotEq) and (
                        sentences.holds(right, names) or sentences.holds(node.left, names)
                    ):
                        yield node.lineno, "=="


def test_nothing_reads_a_sentence() -> None:
    found = [f"{name}:{line}: {how}" for name, tree in modules() for line, how in sorted(set(reads_of(tree)))]
    assert [one for one in found if not one.startswith(tuple(ALLOWED))] == []


def test_sentences_are_made_where_they_are_shown() -> None:
    using = {name for name, tree in modules() if makers_in(tree)}
    assert {name.partition("/")[0] for name in using} <= {"report", "ledger", "commands", "policy"}
    assert using, "it looks at nothing"


@pytest.mark.parametrize(
    "read",
    [
        "reason_text(reason).startswith('used by ')",
        "reason_text(reason).removeprefix('its tag ')",
        "re.match('newest', reason_text(reason))",
        "_LAST.match(f'{reason_text(reason)}.')",
        "'used by' in reason_text(reason)",
        "reason_text(reason) == 'no rule matches'",
        "[text for text in map(reason_text, reasons) if text.endswith('goes')]",
        "'; '.join(map(reason_text, reasons)).partition('; ')",
        "_made(reason).split(': ')",
        "text.startswith('a')",
        "'a' in texts[0]",
        "(text if True else '').find('x')",
    ],
)
def test_it_would_be_seen(read: str) -> None:
    source = f"""
from dockersweep.words.reasons import reason_text

def _made(reason):
    texts = []
    texts.append(reason_text(reason))
    return "; ".join(texts)

def use(reason, reasons):
    text = reason_text(reason)
    texts = [_made(one) for one in reasons]
    return {read}
"""
    assert list(reads_of(ast.parse(source)))


def test_what_only_shows_a_sentence_may() -> None:
    source = """
from dockersweep.words.reasons import reason_text

def use(reason, names):
    text = f"{reason.rule}: {reason_text(reason)}"
    return text if "x" in names and reason.rule.startswith("a") else reason_text(reason)[:1000]
"""
    assert list(reads_of(ast.parse(source))) == []
