"""Problems of the combination of keys in one rule of a policy file, where each key is valid by itself."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.policyfile import KeepTable, MatchTable, RemoveTable, RuleTable
from dockersweep.policy.language.conditions import CONDITIONS, LABELED
from dockersweep.policy.language.problems import KeyProblem
from dockersweep.policy.language.toml_positions import Path
from dockersweep.units import parse_age, parse_size
from dockersweep.words.lists import both

_OF_MATCH = {row.key: row.kinds for row in CONDITIONS if row.kinds != KINDS}
# The kinds that have a key; keys that are not listed here are for all kinds.
KINDS_OF_KEY: dict[str, dict[str, tuple[Kind, ...]]] = {
    "match": _OF_MATCH,
    "not": _OF_MATCH,
    "keep": {"tags": ("image",), "majors": ("image",), "minors": ("image",)},
    "remove": {
        "stopped_for": ("container",),
        "built_before": ("image",),
        "built_over": ("image",),
        "created_over": ("container", "volume", "network", "build-cache"),
        "after_container": ("image", "volume", "network"),
    },
}
_PLURAL: dict[Kind, str] = {
    "container": "containers",
    "image": "images",
    "volume": "volumes",
    "network": "networks",
    "build-cache": "build cache",
}
AGES = ("older_than", "unused_for", "stopped_for", "built_over", "created_over", "marked_for")
DATES = ("before", "built_before")
# Patterns that match everything.
_ANYTHING = ("/.*/", "/.+/", "/^.*$/", "/^.+$/")
_NEVER_NARROW = frozenset(row.key for row in CONDITIONS if row.is_on_all)


def rule_problems(rule: RuleTable, path: Path, is_whole: bool) -> Iterator[KeyProblem]:
    """Yield the problems of the combination of keys in the rule at `path`.

    Without `is_whole`, that is if keys with problems were left out, missing keys are not reported.
    """
    yield from _of_kinds(rule, path)
    yield from _of_sizes(rule, path)
    if is_whole:
        yield from _of_what_lacks(rule, path)
        yield from _of_everything(rule, path)


def set_keys(table: Struct | None) -> list[str]:
    """Return the keys that a table sets."""
    if table is None:
        return []
    return [key for key in table.__struct_fields__ if getattr(table, key) is not None]


def kinds_of(rule: RuleTable) -> tuple[Kind, ...]:
    """Return the kinds of objects of a rule."""
    return tuple(rule.kind) if isinstance(rule.kind, list) else (rule.kind,)


def is_anything(pattern: str) -> bool:
    """Whether a pattern matches everything."""
    return not pattern.strip("*") or pattern in _ANYTHING


def _of_kinds(rule: RuleTable, path: Path) -> Iterator[KeyProblem]:
    kinds = kinds_of(rule)
    for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        yield KeyProblem((*path, "kind"), f'"{kind}" stands there twice: once is enough', at="value")
    tables = {"match": rule.match, "not": rule.not_, "keep": rule.keep, "remove": rule.remove}
    for name, table in tables.items():
        for key in set_keys(table):
            having = KINDS_OF_KEY[name].get(key)
            if having is not None:
                yield from _of_key(f"{name}.{key}", having, kinds, (*path, name, key))
    group = rule.keep.group_by if rule.keep is not None else None
    if group == "repository":
        yield from _of_key('keep.group_by = "repository"', ("image",), kinds, (*path, "keep", "group_by"))
    elif group is not None and group != "none":
        yield from _of_key(f'keep.group_by = "{group}"', LABELED, kinds, (*path, "keep", "group_by"))


def _of_key(name: str, having: Sequence[Kind], kinds: Sequence[Kind], path: Path) -> Iterator[KeyProblem]:
    lacking = [_PLURAL[kind] for kind in dict.fromkeys(kinds) if kind not in having]
    if not lacking:
        return
    has = both(_PLURAL[kind] for kind in having)
    if len(lacking) < len(set(kinds)):
        text = f"{name} is for {has} only, and this rule is for {both(lacking)} too: make two rules of it"
    else:
        text = f"{name} is for {has}, and this rule is for {both(lacking)}"
    yield KeyProblem(path, text)


def _of_sizes(rule: RuleTable, path: Path) -> Iterator[KeyProblem]:
    match = rule.match
    if match is None or match.size_over is None or match.size_under is None:
        return
    if parse_size(match.size_over) >= parse_size(match.size_under):
        text = f"nothing is over {match.size_over} and under {match.size_under}: size_over must be the smaller one"
        yield KeyProblem((*path, "match", "size_over"), text, at="value")


def _of_what_lacks(rule: RuleTable, path: Path) -> Iterator[KeyProblem]:
    if rule.keep is None and rule.remove is None:
        text = 'this rule neither keeps nor removes: write, say, keep.last = 5 or remove.older_than = "7d"'
        yield KeyProblem(path, text)
    if rule.keep is not None and not set(set_keys(rule.keep)) - {"group_by"}:
        yield KeyProblem((*path, "keep"), "keep does not say what to keep: write, say, keep.last = 5, or leave it out")
    counts = set(set_keys(rule.keep)) - {"group_by", "tags"} if rule.keep is not None else set()
    kinds = kinds_of(rule)
    if counts and "image" in kinds and len(set(kinds)) > 1 and rule.keep is not None and rule.keep.group_by is None:
        text = "keep counts images by repository, and other kinds all together: write a rule for each of the kinds"
        all_together = f'or keep.group_by = "none" to keep {_newest_of_all(rule.keep)} of each kind on the whole engine'
        yield KeyProblem((*path, "keep"), f"{text}, {all_together}")
    if rule.remove is not None and not set(set_keys(rule.remove)) - {"after_container"}:
        text = 'remove does not say when: write, say, remove.older_than = "7d", or "0s" for whatever its age'
        yield KeyProblem((*path, "remove"), text)


def _newest_of_all(keep: KeepTable) -> str:
    return f"the newest {keep.last}" if isinstance(keep.last, int) else "the newest"


def _of_everything(rule: RuleTable, path: Path) -> Iterator[KeyProblem]:
    """A rule that would remove all objects of a kind has to confirm it with everything = true."""
    last = rule.keep.last if rule.keep is not None else None
    if rule.everything:
        return
    if last == 0:
        text = "keep.last = 0 keeps nothing: leave it out, or write everything = true in the rule if that is meant"
        yield KeyProblem((*path, "keep", "last"), text, at="value")
    elif rule.remove is not None and set_keys(rule.remove) and not keeps_something(rule.keep):
        kinds = kinds_of(rule)
        is_dear = "image" in kinds or "volume" in kinds
        if matches_everything(rule.match) and not set_keys(rule.not_) and (is_dear or _asks_no_age(rule.remove)):
            yield KeyProblem(path, _refusal(kinds))


def _refusal(kinds: Sequence[Kind]) -> str:
    which = both(_PLURAL[kind] for kind in kinds)
    return (
        f"this rule matches all {which} and keeps none of them: narrow it with match, not or keep, "
        f"or write everything = true in it if that is meant"
    )


def keeps_something(keep: KeepTable | None) -> bool:
    """Whether a keep table keeps anything."""
    return keep is not None and any(getattr(keep, key) != 0 for key in set_keys(keep) if key != "group_by")


def matches_everything(match: MatchTable | None) -> bool:
    """Whether a match table matches everything: it is empty, or has only patterns like *."""
    for key in set_keys(match):
        wanted = getattr(match, key)
        patterns = [wanted] if isinstance(wanted, str) else wanted
        if key not in _NEVER_NARROW or not any(map(is_anything, patterns)):
            return False
    return True


def _asks_no_age(remove: RemoveTable) -> bool:
    ages = [getattr(remove, key) for key in AGES]
    return not any(getattr(remove, key) for key in DATES) and all(
        parse_age(age).is_zero for age in ages if age is not None
    )
