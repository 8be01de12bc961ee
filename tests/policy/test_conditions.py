"""Each condition of a rule by itself: what matches it, what does not and why, and how a policy puts it in words."""

from typing import Any, NamedTuple

import pytest
from msgspec.structs import fields, replace

from dockersweep.model.inventory import Object
from dockersweep.model.naming import kind_of
from dockersweep.model.policy import Match, Rule
from dockersweep.model.policyfile import MatchTable
from dockersweep.model.reason import NotMatched
from dockersweep.policy.judging.matching import RuleTest
from dockersweep.policy.language.conditions import CONDITIONS, ConditionFacts
from dockersweep.words.conditions import counted_not_matched, selected
from dockersweep.words.reasons import reason_text
from tests.rig.inventories import container, image, network, record, volume


class Shown(NamedTuple):
    """A condition, and what it does."""

    wanted: Any
    matching: Object
    other: Object
    why_not: str
    selects: str


FACTS = ConditionFacts(
    size_of=lambda item: getattr(item, "size_bytes", None),
    services_of=lambda item: ("web",) if getattr(item, "name", "") == "of-web" else (),
    is_declared=lambda item: getattr(item, "name", "") == "named-by-file",
)
SHOWN: dict[str, Shown] = {
    "state": Shown(("exited",), container("a"), container("b", "running"), "it is running", "that are exited"),
    "exit_code": Shown(
        (0, 137),
        replace(container("a"), exit_code=137),
        replace(container("b"), exit_code=None),
        "its exit code is unknown",
        "that ended with 0 or 137",
    ),
    "restarts_by_itself": Shown(
        False,
        container("a"),
        container("b", restart="always"),
        "restarts by itself (always)",
        "that do not restart by themselves",
    ),
    "tagged": Shown(False, image("a"), image("b", "app:1"), "tagged", "without a tag"),
    "recoverable": Shown(
        True,
        image("a", "app:1", in_registry=True),
        image("b", "app:2", in_registry=False),
        "it exists only here",
        "that can be pulled again",
    ),
    "digest": Shown(
        ("sha256:a*",),
        image("a", digests=["app@sha256:ab"]),
        image("b", digests=["app@sha256:ba"]),
        "its digest does not match sha256:a*",
        "of the digest sha256:a*",
    ),
    "driver": Shown(
        ("local",),
        volume("a"),
        volume("b", driver="nfs"),
        "of the driver nfs, which others may use",
        "of the driver local",
    ),
    "has_options": Shown(
        False,
        volume("a"),
        volume("b", options={"device": "/srv"}),
        "with mount options (its data may be elsewhere)",
        "without mount options",
    ),
    "options": Shown(
        ("type=nfs",),
        volume("a", options={"type": "nfs"}),
        volume("b", options={"type": "tmpfs"}),
        "it has no mount option type=nfs",
        "with the mount option type=nfs",
    ),
    "anonymous": Shown(True, volume("a"), volume("b", anonymous=False), "named", "that are anonymous"),
    "type": Shown(
        ("source.*",),
        replace(record("a"), type="source.local"),
        replace(record("b"), type="regular"),
        "its type does not match source.*",
        "of the type source.*",
    ),
    "labels": Shown(
        ("tmp", "env=dev"),
        container("a", labels={"env": "dev"}),
        container("b", labels={"env": "prod"}),
        "it has no label tmp or env=dev",
        "with the label tmp or env=dev",
    ),
    "project": Shown(
        ("shop-*",),
        replace(network("a"), project="shop-1"),
        replace(network("b"), project=None),
        "it belongs to no compose project",
        "of the compose project shop-*",
    ),
    "service": Shown(("web",), volume("of-web"), volume("b"), "no service web uses it", "used by the service web"),
    "declared": Shown(False, volume("b"), volume("named-by-file"), "a file declares it", "that no file declares"),
    "size_over": Shown(
        1_000,
        volume("a", size=1_001),
        volume("b", size=None),
        "its size is not over 1.00 kB, or not known",
        "larger than 1.00 kB",
    ),
    "size_under": Shown(
        1_000,
        volume("a", size=999),
        volume("b", size=None),
        "its size is not under 1.00 kB, or not known",
        "smaller than 1.00 kB",
    ),
    "name": Shown(("web-*",), container("web-1"), container("db"), "its name does not match web-*", "named web-*"),
    "repository": Shown(
        ("app", "team/*"),
        image("a", "team/tool:1"),
        image("b", "lone:1"),
        "its repository does not match app or team/*",
        "of the repository app or team/*",
    ),
    "tag": Shown(
        ("1.*",), image("a", "app:1.2"), image("b", "app:2"), "its tag does not match 1.*", "with the tag 1.*"
    ),
}


def test_each_condition_is_a_key_of_the_language_and_shown_here() -> None:
    keys = {condition.key for condition in CONDITIONS}
    assert keys == {field.encode_name for field in fields(MatchTable)} == set(SHOWN)


COUNTED = {
    "digest": "whose digest does not match sha256:a*",
    "type": "whose type does not match source.*",
    "name": "whose name does not match web-*",
    "repository": "whose repository does not match app or team/*",
    "tag": "whose tag does not match 1.*",
    "has_options": "with mount options (its data may be elsewhere)",
}
"""How it is said behind a number of objects; of all others, "without a tag" would read as if that kept them."""


def reason_about(test: RuleTest, item: Object) -> NotMatched:
    reason = test.why_not(item)
    assert reason is not None
    assert isinstance(reason.about, NotMatched)
    return reason.about


def why_not(test: RuleTest, item: Object) -> str:
    reason = test.why_not(item)
    assert reason is not None
    return reason_text(reason)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.key)
def test_condition(condition: Any) -> None:
    shown = SHOWN[condition.key]
    kind = kind_of(shown.matching)
    assert kind == kind_of(shown.other)
    assert kind in condition.kinds
    wanted = Match(**{condition.field: shown.wanted})
    asking = RuleTest(Rule(name="asks", kinds=(kind,), match=wanted), FACTS)
    assert asking.matches(shown.matching)
    assert not asking.matches(shown.other)
    assert why_not(asking, shown.other) == shown.why_not
    assert asking.why_not(shown.matching) is None
    excluding = RuleTest(Rule(name="excludes", kinds=(kind,), excludes=wanted), FACTS)
    assert excluding.matches(shown.other)
    assert not excluding.matches(shown.matching)
    assert why_not(excluding, shown.matching) == f"excluded by not.{condition.key}"
    assert list(selected(wanted)) == [shown.selects]
    about = reason_about(asking, shown.other)
    assert counted_not_matched(about) == COUNTED.get(condition.key, "that no rule matches")
