"""Which images registries are to be asked about: those of which it matters whether they can be pulled again."""

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
"""What Podman puts before the names of what it built or loaded without one."""


def registry_questions(
    survey: Survey, policy: Policy, former_tags: Mapping[str, Sequence[str]] = _NO_TAGS
) -> tuple[RegistryQuestion, ...]:
    """Return what registries are to be asked so that a policy can judge: about each image that might go, were it not
    for what they answer, and each that a rule counts by it.

    `former_tags` are the tags that images had which have none now, by their ids. The largest come first: there may be
    more than there is time for.
    """
    if not may_remove(policy, "image"):
        return ()
    wanted = {*_may_go(survey, policy), *_counted(survey, policy)}
    images = sorted((one for one in survey.inventory.images if one.id in wanted), key=_by_size)
    questions = (_question(image, survey, former_tags.get(image.id, ())) for image in images)
    return tuple(question for question in questions if question.digests)


def _by_size(image: Image) -> int:
    return -(image.size_bytes or 0)


def _may_go(survey: Survey, policy: Policy) -> Iterator[str]:
    """Yield the ids of images that would go whatever registries have."""
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
        yield from (one.id for one in decisions if one.kind == "image" and one.verdict == "remove")


def _counted(survey: Survey, policy: Policy) -> Iterator[str]:
    """Yield the ids of images that rules by `recoverable` match but for that: their age may yet come, and what such a
    rule keeps depends on all that it matches. What runs stays whatever a rule that keeps nothing says."""
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
    """Return a rule without what it says of registries; what it keeps by that it does not keep."""
    if not _asks(rule):
        return rule
    return replace(rule, match=_without(rule.match), excludes=_without(rule.excludes), keep=None)


def _without(match: Match) -> Match:
    return replace(match, recoverable=None)


def _running(survey: Survey) -> frozenset[str]:
    return frozenset(one.id for one in survey.inventory.containers if one.state not in STOPPED_STATES)


def _is_run(ref: ObjectRef, survey: Survey, running: Collection[str]) -> bool:
    return any(hold.by.id in running for hold in survey.holders.get(ref, ()))


def _question(image: Image, survey: Survey, former_tags: Sequence[str]) -> RegistryQuestion:
    by_configuration = survey.inventory.engine.image_store != "containerd"
    digests = image.digests
    if not digests and not by_configuration:
        # This store forgets by which name it has an image when its tag moves on, and calls it by its digest.
        digests = tuple(dict.fromkeys(f"{whole_repository_of(tag)}@{image.id}" for tag in former_tags))
    digests = tuple(one for one in digests if not one.startswith(_OF_NO_REGISTRY))
    return RegistryQuestion(
        image_id=image.id,
        digests=digests,
        manifest=image.manifest,
        tags=tuple(_tags_beside(image.tags, digests)) if by_configuration else (),
    )


def _tags_beside(tags: Iterable[str], digests: Iterable[str]) -> Iterator[str]:
    """Yield the tags in the repositories of digests. A graphdriver store and Podman call an image by the digest of its
    configuration, which the manifest of a tag names. Podman's own digest of an image is not that of what it pushed,
    which is compressed (tried on 5.8 and 6.1); Docker records what it pushed."""
    repositories = {whole_repository_of(digest) for digest in digests}
    yield from (tag for tag in tags if tag_of(tag) and whole_repository_of(tag) in repositories)
