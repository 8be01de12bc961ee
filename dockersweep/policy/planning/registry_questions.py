"""Which images to ask registries about: those for which it matters whether they can be pulled again."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from dockersweep.model.image_references import tag_of, whole_repository_of
from dockersweep.model.inventory import STOPPED_STATES, Image, ObjectRef
from dockersweep.model.naming import ref_of
from dockersweep.model.policy import Match, Policy, Rule
from dockersweep.model.registry import RegistryQuestion
from dockersweep.policy.judging.judge import Judge
from dockersweep.policy.judging.matching import RuleTest
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.kinds_removed import may_remove
from dockersweep.policy.planning.target import decide_for_target

_NO_TAGS: Mapping[str, Sequence[str]] = {}
_OF_NO_REGISTRY = "localhost/"
"""Podman's prefix for the names of images that it built or loaded without a registry."""


def registry_questions(
    survey: Survey, policy: Policy, former_tags: Mapping[str, Sequence[str]] = _NO_TAGS
) -> tuple[RegistryQuestion, ...]:
    """Return the questions to registries that a policy needs: about each image that it may remove, depending on the
    answer, and each that a rule counts by it.

    `former_tags` has image id -> earlier tags, of images that have none now. The largest images come first: there may
    not be time for all.
    """
    if not may_remove(policy, "image"):
        return ()
    wanted = {*_removable(survey, policy), *_counted(survey, policy)}
    images = sorted((image for image in survey.inventory.images if image.id in wanted), key=_by_size)
    questions = (_question(image, survey, former_tags.get(image.id, ())) for image in images)
    return tuple(question for question in questions if question.digests)


def _by_size(image: Image) -> int:
    return -(image.size_bytes or 0)


def _removable(survey: Survey, policy: Policy) -> Iterator[str]:
    """Yield the ids of images that may be removed, if registries give the right answer."""
    lax = replace(
        policy,
        rules=tuple(_lax(rule) for rule in policy.rules),
        protections=replace(policy.protections, unseen_services=False),
        target=policy.target and replace(policy.target, spare_registry_less="no"),
    )
    judge = Judge(survey, lax)
    if lax.target is None:
        yield from (case.id for case in judge.decide_removals() if case.kind == "image")
    else:
        decisions, _ = decide_for_target(judge, lax.target, judge.decide_all(), is_endless=True)
        removed = (decision for decision in decisions if decision.verdict == "remove")
        yield from (decision.id for decision in removed if decision.kind == "image")


def _counted(survey: Survey, policy: Policy) -> Iterator[str]:
    """Yield the ids of images that rules with `recoverable` match otherwise, even if they are too young: what a rule
    keeps depends on all that it matches. Under a rule without `keep`, images of running containers do not matter."""
    for rule in policy.rules:
        if "image" not in rule.kinds or not _asks(rule):
            continue
        test = RuleTest(_lax(rule), survey.facts)
        matched = (image for image in survey.inventory.images if test.matches(image))
        if rule.keep is not None or rule.remove is None:
            yield from (image.id for image in matched)
        else:
            running = _running(survey)
            yield from (image.id for image in matched if not _is_run(ref_of(image), survey, running))


def _asks(rule: Rule) -> bool:
    return rule.match.recoverable is not None or rule.excludes.recoverable is not None


def _lax(rule: Rule) -> Rule:
    """Return a rule without its conditions on registries; if it has any, without its `keep` too."""
    if not _asks(rule):
        return rule
    return replace(rule, match=_without(rule.match), excludes=_without(rule.excludes), keep=None)


def _without(match: Match) -> Match:
    return replace(match, recoverable=None)


def _running(survey: Survey) -> frozenset[str]:
    return frozenset(container.id for container in survey.inventory.containers if container.state not in STOPPED_STATES)


def _is_run(ref: ObjectRef, survey: Survey, running: Collection[str]) -> bool:
    return any(hold.by.id in running for hold in survey.holders.get(ref, ()))


def _question(image: Image, survey: Survey, former_tags: Sequence[str]) -> RegistryQuestion:
    by_configuration = survey.inventory.engine.image_store != "containerd"
    digests = image.digests
    if not digests and not by_configuration:
        # This store forgets an image's repository when its tag moves on; the id is its digest there.
        digests = tuple(dict.fromkeys(f"{whole_repository_of(tag)}@{image.id}" for tag in former_tags))
    digests = tuple(digest for digest in digests if not digest.startswith(_OF_NO_REGISTRY))
    return RegistryQuestion(
        image_id=image.id,
        digests=digests,
        manifest=image.manifest,
        tags=tuple(_tags_beside(image.tags, digests)) if by_configuration else (),
    )


def _tags_beside(tags: Iterable[str], digests: Iterable[str]) -> Iterator[str]:
    """Yield the tags in the repositories of digests. On a graphdriver store and in Podman the id of an image is the
    digest of its configuration, which the manifest of a tag names. Podman's digest of an image differs from that of the
    compressed image that it pushed (tried on 5.8 and 6.1); Docker records the pushed digest."""
    repositories = {whole_repository_of(digest) for digest in digests}
    yield from (tag for tag in tags if tag_of(tag) and whole_repository_of(tag) in repositories)
