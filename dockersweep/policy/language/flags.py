"""The flags of the command line that change a policy."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.errors import UsageError
from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.policy import ArchiveSettings, LimitSettings, Policy, Protection, Rule, Target
from dockersweep.policy.language.default_policy import (
    ANONYMOUS_VOLUMES,
    DANGLING_IMAGES,
    DEFAULT_POLICY,
    NAMED_VOLUMES,
    TAGGED_IMAGES,
    TAGGED_PULLED_IMAGES,
)
from dockersweep.policy.names.patterns import compile_pairs, compile_pattern, is_unicode
from dockersweep.units import Age, parse_age


class PolicyFlags(Struct, frozen=True, kw_only=True):
    """The flags that change a policy."""

    older_than: Age | None = None
    kinds: tuple[Kind, ...] = ()
    all_images: bool = False
    spare_local: bool = False
    """Whether `all_images` excludes images that are not known to be in a registry."""
    named_volumes: bool = False
    keep_labels: tuple[str, ...] = ()
    keep_names: tuple[str, ...] = ()
    keep_images: tuple[str, ...] = ()
    max_objects: int | None = None
    max_bytes: int | None = None
    max_share: float | None = None
    max_unrecoverable: int | None = None
    retry_refused: bool = False
    free_bytes: int | None = None
    """The number of bytes to free, with more removals than those of the rules if needed."""
    archive: str | Literal[False] | None = None
    """The folder of the archive; "" for that of the policy, or the default one; False for no archive."""
    only_recoverable: bool = False
    only_target: bool = False
    """Whether rules remove nothing, only the space target."""


_RULE_OF_FLAG = {"--all-images": TAGGED_IMAGES, "--named-volumes": NAMED_VOLUMES}
_OLD_ENOUGH_FOR_SPACE = parse_age("1h")


def policy_from_flags(flags: PolicyFlags, policy: Policy = DEFAULT_POLICY) -> Policy:
    """Return the policy as the flags change it.

    Raises UsageError if a flag would add a default rule to a policy that is not the default one, or a pattern is
    invalid.
    """
    rules = list(policy.rules)
    if policy is not DEFAULT_POLICY:
        _refuse_default_rules(flags, policy)
    if flags.only_target and policy.target is None and flags.free_bytes is None:
        raise UsageError(
            f"--only-target leaves nothing to remove: {policy.source} has no target; write a [target], or give --free"
        )
    if flags.spare_local and not flags.all_images:
        raise UsageError("--spare-local spares images that --all-images would remove: give that as well")
    if flags.all_images:
        _add(rules, DANGLING_IMAGES, TAGGED_PULLED_IMAGES if flags.spare_local else TAGGED_IMAGES)
        if flags.spare_local:
            # First, because the reason of the first rule is told of what stays: that it exists only here.
            rules.sort(key=lambda rule: rule is not TAGGED_PULLED_IMAGES)
    if flags.named_volumes:
        _add(rules, ANONYMOUS_VOLUMES, NAMED_VOLUMES)
    if flags.older_than is not None:
        rules = [_of_age(rule, flags.older_than) for rule in rules]
    own = policy.protections
    return replace(
        policy,
        source=policy.source if flags == PolicyFlags() else f"{policy.source} and command-line flags",
        protections=replace(
            own,
            labels=own.labels + _protections(flags.keep_labels, "--keep-label"),
            names=own.names + _protections(flags.keep_names, "--keep-name"),
            images=own.images + _protections(flags.keep_images, "--keep-image"),
        ),
        rules=tuple(rules),
        kinds=tuple(kind for kind in KINDS if kind in flags.kinds) or KINDS,
        target=_target_of_age(_target(policy.target, flags.free_bytes), flags.older_than),
        retry_refused=policy.retry_refused or flags.retry_refused,
        limits=LimitSettings(
            objects=policy.limits.objects if flags.max_objects is None else flags.max_objects,
            size_bytes=policy.limits.size_bytes if flags.max_bytes is None else flags.max_bytes,
            share_percent=policy.limits.share_percent if flags.max_share is None else flags.max_share,
            unrecoverable=(policy.limits.unrecoverable if flags.max_unrecoverable is None else flags.max_unrecoverable),
        ),
        archive=_archive(policy.archive, flags.archive),
        only_recoverable=policy.only_recoverable or flags.only_recoverable,
        only_target=policy.only_target or flags.only_target,
    )


def _archive(own: ArchiveSettings | None, flag: str | Literal[False] | None) -> ArchiveSettings | None:
    if flag is None or flag is False:
        return own if flag is None else None
    if own is None:
        # Most runs have no archive.
        from dockersweep.model.policyfile import ArchiveTable
        from dockersweep.policy.language.tables_to_policy import archive_of

        own = archive_of(ArchiveTable())
    return replace(own, folder=flag or own.folder)


def flags_typed(flags: PolicyFlags) -> str:
    """Return the flags that are given, as a shell takes them: "--older-than 3d --kind image"; empty without any."""
    # Only a run that removes something records them.
    import shlex

    values = (
        ("--older-than", None if flags.older_than is None else flags.older_than.text),
        *(("--kind", kind) for kind in flags.kinds),
        ("--free", None if flags.free_bytes is None else f"{flags.free_bytes}B"),
        *(("--keep-label", pattern) for pattern in flags.keep_labels),
        *(("--keep-name", pattern) for pattern in flags.keep_names),
        *(("--keep-image", pattern) for pattern in flags.keep_images),
        ("--max-objects", None if flags.max_objects is None else str(flags.max_objects)),
        ("--max-bytes", None if flags.max_bytes is None else f"{flags.max_bytes}B"),
        ("--max-share", None if flags.max_share is None else f"{flags.max_share:g}%"),
        ("--max-unrecoverable", None if flags.max_unrecoverable is None else str(flags.max_unrecoverable)),
        ("--archive", flags.archive or None),
    )
    switches = (
        ("--all-images", flags.all_images),
        ("--spare-local", flags.spare_local),
        ("--named-volumes", flags.named_volumes),
        ("--retry-refused", flags.retry_refused),
        ("--archive", flags.archive == ""),
        ("--no-archive", flags.archive is False),
        ("--only-recoverable", flags.only_recoverable),
        ("--only-target", flags.only_target),
    )
    given = [flag for flag, is_given in switches if is_given]
    return " ".join([*(f"{flag} {shlex.quote(value)}" for flag, value in values if value is not None), *given])


def with_flag_of_kind(policy: Policy, kind: Kind) -> tuple[str, Policy] | None:
    """Return the flag that makes more objects of a kind removable, and the policy with it; None where there is none.

    The rule that it adds asks for the same age as the rule beside it, which another flag may have changed.
    """
    for rule in policy.rules:
        if rule.flag_for_others is not None and kind in rule.kinds:
            rules = list(policy.rules)
            _add(rules, rule, replace(_RULE_OF_FLAG[rule.flag_for_others], remove=rule.remove))
            return rule.flag_for_others, replace(policy, rules=tuple(rules))
    return None


def _refuse_default_rules(flags: PolicyFlags, policy: Policy) -> None:
    if flags.spare_local:
        given = "--all-images and --spare-local change" if flags.all_images else "--spare-local changes"
        raise UsageError(
            f"{given} the default policy, but {policy.source} is in force: write match.recoverable = true in a rule "
            f"for images there, or give `{_default_policy(policy)} --all-images` as well"
        )
    for flag, is_given in (("--all-images", flags.all_images), ("--named-volumes", flags.named_volumes)):
        if is_given:
            raise UsageError(
                f"{flag} adds a rule to the default policy, but {policy.source} is in force: "
                f"write a rule there, or give `{_default_policy(policy)}` as well"
            )


def _default_policy(policy: Policy) -> str:
    """Return the flags for the default policy that archive what another policy archives."""
    if policy.archive is None:
        return "--policy default"
    # Few runs are refused.
    import shlex

    folder = "" if policy.archive.folder is None else f" {shlex.quote(policy.archive.folder)}"
    return f"--policy default --archive{folder}"


def _add(rules: list[Rule], beside: Rule, added: Rule) -> None:
    place = rules.index(beside)
    rules[place : place + 1] = [replace(beside, flag_for_others=None), added]


def _of_age(rule: Rule, age: Age) -> Rule:
    """Return a rule with this age instead of its own ages; its dates stay."""
    if rule.remove is None:
        return rule
    return replace(
        rule, remove=replace(rule.remove, older_than=age, unused_for=None, stopped_for=None, marked_for=None)
    )


def _target(target: Target | None, free_bytes: int | None) -> Target | None:
    """Return the policy's target; with --free, one for these bytes, with the order and sparing of the policy's target.
    Without one in the policy, it removes no images that cannot be pulled again."""
    if free_bytes is None:
        return target
    if target is None:
        return Target(free_bytes=free_bytes, spare_registry_less="never", older_than=_OLD_ENOUGH_FOR_SPACE)
    return Target(
        free_bytes=free_bytes,
        order=target.order,
        spare_registry_less=target.spare_registry_less,
        older_than=target.older_than,
    )


def _target_of_age(target: Target | None, age: Age | None) -> Target | None:
    return target if target is None or age is None else replace(target, older_than=age)


def _protections(patterns: Iterable[str], source: str) -> tuple[Protection, ...]:
    for pattern in patterns:
        if not pattern.strip("/ ") or pattern.startswith("="):
            raise UsageError(f"{source} is empty and would protect nothing: write a name or a pattern like web-*")
        if not is_unicode(pattern):
            raise UsageError(f"{source} {pattern!a} is no text in UTF-8, and no name of an engine is like that")
        if source == "--keep-label":
            compile_pairs([pattern])
        else:
            compile_pattern(pattern)
    return tuple(Protection(pattern=pattern, source=source) for pattern in patterns)
