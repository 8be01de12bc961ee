"""Explains several objects at once: those of a compose project or a repository, or with the same name."""

from collections import Counter
from collections.abc import Iterable, Iterator

from dockersweep.model.explanation import Group, GroupedBy, GroupedKind, GroupExplanation
from dockersweep.model.image_references import repository_of, without_registry
from dockersweep.model.inventory import KINDS, Image, Inventory, Kind, Object, ObjectRef
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import NOTHING, Decision
from dockersweep.model.policy import Policy
from dockersweep.policy.judging.order import ORDER
from dockersweep.policy.judging.owners import owner_of
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import make_plan

PREFIXES: tuple[GroupedBy, ...] = ("project", "repository")
"""The prefixes for the name of a group, as in `project:shop`."""


def find_groups(inventory: Inventory, text: str) -> list[Group]:
    """Return the compose project and the repository that a text names, as NAME, `project:NAME` or
    `repository:NAME`."""
    return [
        group
        for by in PREFIXES
        for name in dict.fromkeys((text, text.removeprefix(f"{by}:")))
        if (group := _group(inventory, by, name)).refs
    ]


def _group(inventory: Inventory, by: GroupedBy, name: str) -> Group:
    find = _of_project if by == "project" else _of_repository
    refs = tuple(map(ref_of, find(inventory, name)))
    return Group(grouped_by=by, name=name, refs=refs)


def _of_project(inventory: Inventory, name: str) -> Iterator[Object]:
    for kind in KINDS:
        for item in objects_of(inventory, kind):
            owner = owner_of(item)
            if owner is not None and owner.project == name:
                yield item


def _of_repository(inventory: Inventory, name: str) -> Iterator[Image]:
    short = without_registry(name)
    for image in inventory.images:
        if any(repository_of(reference) == short for reference in (*image.tags, *image.digests)):
            yield image


def group_names(inventory: Inventory, by: GroupedBy) -> set[str]:
    """Return the names of all compose projects, or of all repositories."""
    if by == "repository":
        return {repository_of(name) for image in inventory.images for name in (*image.tags, *image.digests)}
    owners = (owner_of(item) for kind in KINDS for item in objects_of(inventory, kind))
    return {owner.project for owner in owners if owner is not None}


def explain_group(survey: Survey, policy: Policy, group: Group) -> GroupExplanation:
    """Return the decision on each object of a group under a policy, and what removing them frees together."""
    plan = make_plan(survey, policy)
    wanted = {(ref.kind, ref.id) for ref in group.refs}
    decisions = tuple(decision for decision in plan.decisions if (decision.kind, decision.id) in wanted)
    going = [decision for decision in decisions if decision.verdict == "remove"]
    frees = survey.reclaim.together(_in_order(going))
    counts, gone = Counter(decision.kind for decision in decisions), Counter(decision.kind for decision in going)
    return GroupExplanation(
        schema="dockersweep.group/1",
        engine=plan.engine,
        taken_at=plan.taken_at,
        now=plan.now,
        policy_source=policy.source,
        grouped_by=group.grouped_by,
        name=group.name,
        decisions=decisions,
        kinds=tuple(
            GroupedKind(kind=kind, objects=counts[kind], goes=gone[kind], frees=frees.of_kinds.get(kind, NOTHING))
            for kind in KINDS
            if counts[kind]
        ),
        reclaim=frees.total,
        reclaim_of_all=survey.reclaim.together(_in_order(decisions)).total,
        limits=plan.limits,
        warnings=plan.warnings,
        size_base=plan.size_base,
        not_from_disk=plan.not_from_disk,
    )


def _in_order(decisions: Iterable[Decision]) -> list[ObjectRef]:
    """Return the objects of decisions, kind by kind in the order of a plan."""
    of_kind: dict[Kind, list[ObjectRef]] = {kind: [] for kind in ORDER}
    for decision in decisions:
        of_kind[decision.kind].append(decision.ref)
    return [ref for refs in of_kind.values() for ref in refs]
