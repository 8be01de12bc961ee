"""The slow evaluator: what a pattern, a match and a protection match, from the words of the specification."""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from msgspec.structs import asdict

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Object
from dockersweep.model.naming import name_of, size_of
from dockersweep.model.policy import Match, Policy, Protection, Rule

PETS = ("manager=distrobox", "com.github.containers.toolbox", "io.x-k8s.kind.cluster")
OF_NAMES = ("name", "repository", "tag")


def is_doubtful(rule: Rule, seen: Object, services: Sequence[str] | None) -> bool:
    """Whether it is not known whether an object is excluded, or can be pulled again where that is asked for."""
    asked = conditions(rule.excludes)
    if isinstance(seen, Image) and seen.in_registry is None and "recoverable" in {*asked, *conditions(rule.match)}:
        return True
    if "declared" in {*asked, *conditions(rule.match)}:
        # No file was read.
        return True
    if services is None and "service" in {*asked, *conditions(rule.match)}:
        return True
    doubtful = getattr(seen, "maybe_project", None)
    if doubtful is not None and any(
        fits(one, doubtful) for match in (rule.match, rule.excludes) for one in match.project or ()
    ):
        return True
    unknown = {"size_over_bytes": size_of(seen), "size_under_bytes": size_of(seen)}
    if isinstance(seen, Container):
        unknown["restarts_by_itself"] = None if comes_back(seen) is None else 1
        unknown["exit_code"] = seen.exit_code if seen.state in ("exited", "dead") else 1
    return any(field in asked and value is None for field, value in unknown.items())


def comes_back(seen: Container) -> bool | None:
    """Whether a container starts again by itself; None where that is not known."""
    if seen.restart_policy != "on-failure" or seen.state == "created" or seen.exit_code == 0:
        return None if seen.restart_policy is None else seen.restart_policy in ("always", "unless-stopped")
    if seen.retries_left is False or (seen.retries_left and seen.exit_code):
        return seen.retries_left
    return None


def fits(pattern: str, text: str) -> bool:
    """Whether a glob matches the whole text, or a regular expression of a part of it."""
    if len(pattern) > 2 and pattern[0] == pattern[-1] == "/":
        return re.search(pattern[1:-1], text) is not None
    return fnmatchcase(text, pattern)


def has_pair(patterns: Iterable[str], pairs: dict[str, str]) -> bool:
    """Whether there is any of `key` or `key=value`."""
    for pattern in patterns:
        key, is_pair, value = pattern.partition("=")
        if any(fits(key, own) and (not is_pair or fits(value, held)) for own, held in pairs.items()):
            return True
    return False


def short(reference: str) -> str:
    """Return a reference without what engines put before it."""
    return re.sub(r"^(localhost/)?(docker\.io/)?(library/)?", "", reference)


def whole(repository: str) -> str:
    """Return a repository with its registry."""
    host, slash, _ = repository.partition("/")
    if slash and (host == "localhost" or "." in host or ":" in host):
        return repository
    return f"docker.io/{repository if slash else f'library/{repository}'}"


def named(pattern: str, reference: str, and_whole: bool = False) -> bool:
    """Whether a pattern matches a reference or a repository, as an engine tells it.

    A registry that people leave out may be left out in either. A glob that begins with one matches just that
    registry: of Docker's own where an image has none, and that has two spellings of its library.
    """
    if not re.match(r"(localhost|docker\.io|library)/.*[*?[]", pattern):
        if re.search(r"[*?[]", pattern) or pattern[0] == pattern[-1] == "/":
            spellings = {reference, short(reference)} | ({whole(reference)} if and_whole else set())
            return any(fits(pattern, one) for one in spellings)
        return short(pattern) == short(reference)
    full = whole(reference)
    wanted = f"docker.io/{pattern}" if pattern.startswith("library/") else pattern
    return fits(wanted, full) or fits(wanted, full.replace("docker.io/library/", "docker.io/"))


def parts(reference: str) -> tuple[str, str]:
    """Return the repository and the tag of a reference: `host:5000/app:1.2` has both, `app@sha256:...` only one."""
    found = re.fullmatch(r"(.*?)(?:@sha256:.*|:([^/:@]*))?", reference)
    assert found is not None
    return found[1], found[2] or ""


def is_protected(policy: Policy, seen: Object) -> bool:
    """Whether a pattern of the policy protects an object."""
    if isinstance(seen, BuildCacheRecord):
        return False
    protections = policy.protections
    names = [seen.name, seen.id] if isinstance(seen, Container) else [] if isinstance(seen, Image) else [seen.name]
    if isinstance(seen, Image):
        for one in (*seen.tags, *seen.digests):
            names += [one, parts(one)[0]]
        names.append(seen.id.removeprefix("sha256:"))

    def any_fits(patterns: Iterable[Protection], texts: Sequence[str]) -> bool:
        return any(named(one.pattern, text, isinstance(seen, Image)) for one in patterns for text in texts)

    is_pet = isinstance(seen, Container) and protections.pets and has_pair(PETS, seen.labels)
    return (
        is_pet
        or has_pair([one.pattern for one in protections.labels], seen.labels)
        or any_fits(protections.names, names)
        or (isinstance(seen, Image) and any_fits(protections.images, names))
        or any(fits(one.pattern, project) for one in protections.projects for project in projects_of(seen))
    )


def projects_of(seen: Object) -> Iterator[str]:
    """Yield the projects that an object may be needed by."""
    own = [getattr(seen, "project", None), getattr(seen, "maybe_project", None)]
    yield from (one for one in own if one is not None)
    yield from (one.project for one in getattr(seen, "last_projects", ()))


def matches(rule: Rule, seen: Object, unit: str | None, services: Sequence[str] | None) -> bool:
    """Whether a rule matches an object, of an image of this tag of it."""
    own = unit or name_of(seen)
    names = seen.digests if isinstance(seen, Image) and unit is None else (own,)
    wanted, excluded = conditions(rule.match), conditions(rule.excludes)
    of_names = {field: value for field, value in wanted.items() if field in OF_NAMES}
    # What may be lost for ever a rule may keep; that it is not removed is said by is_doubtful.
    if "recoverable" in wanted and isinstance(seen, Image) and seen.in_registry is None:
        del wanted["recoverable"]
    doubtful = getattr(seen, "maybe_project", None)
    if doubtful is not None and any(fits(one, doubtful) for one in wanted.get("project", ())):
        del wanted["project"]
    wanted.pop("declared", None)
    excluded.pop("declared", None)
    asked, forbidden = wanted.pop("service", None), excluded.pop("service", ())
    if asked is not None and services is not None and not any(fits(one, name) for one in asked for name in services):
        return False
    if any(fits(one, name) for one in forbidden for name in services or ()):
        return False
    if not all(holds(field, value, seen) for field, value in wanted.items() if field not in OF_NAMES):
        return False
    if of_names and not any(all(of_name(field, value, one) for field, value in of_names.items()) for one in names):
        return False
    return not any(
        any(of_name(field, value, one) for one in names) if field in OF_NAMES else holds(field, value, seen)
        for field, value in excluded.items()
    )


def conditions(match: Match) -> dict[str, Any]:
    """Return the fields of a match that ask anything."""
    return {field: value for field, value in asdict(match).items() if value is not None}


def of_name(field: str, patterns: Iterable[str], name: str) -> bool:
    """Whether one name of an object is what a condition asks for. A reference by digest has no tag."""
    if field == "name":
        return any(named(pattern, name) for pattern in patterns)
    if field == "repository":
        return any(named(pattern, parts(name)[0]) for pattern in patterns)
    return "@" not in name and any(fits(pattern, parts(name)[1]) for pattern in patterns)


def holds(field: str, wanted: Any, seen: Any) -> bool:
    """Whether an object as a whole is what a condition asks for."""
    match field:
        case "digest":
            spellings = [text for one in seen.digests for text in (one, one.partition("@")[2])]
            return any(named(pattern, text) for pattern in wanted for text in spellings)
        case "labels" | "options":
            return has_pair(wanted, getattr(seen, field))
        case "project" | "driver" | "type":
            text = getattr(seen, field)
            return text is not None and any(fits(pattern, text) for pattern in wanted)
        case "state" | "exit_code":
            return bool(getattr(seen, field) in wanted)
        case "size_over_bytes":
            return bool(seen.size_bytes is not None and seen.size_bytes > wanted)
        case "size_under_bytes":
            return bool(seen.size_bytes is not None and seen.size_bytes < wanted)
        case "anonymous":
            return bool(seen.anonymous == wanted)
        case "recoverable":
            return bool(seen.in_registry is not None and seen.in_registry == wanted)
        case "has_options" | "tagged":
            there = {"has_options": "options", "tagged": "tags"}[field]
            return bool(wanted) == bool(getattr(seen, there))
        case "restarts_by_itself":
            return comes_back(seen) is wanted
    raise AssertionError(f"the oracle does not know {field}")
