"""What is said of one object among others, for tests."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from dockersweep.model.explanation import Explanation
from dockersweep.model.inventory import Image, Object
from dockersweep.model.lookup import find_objects
from dockersweep.model.policy import Policy
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.reading import read_policy
from dockersweep.report.explanation import explanation_layout
from dockersweep.report.formats import formatted
from tests.rig.inventories import ago, explanation_of, image, inventory
from tests.rig.policies import rule_text


def policy_of(rules: str) -> Policy:
    return read_policy(f"version = 1\n{rules}".encode(), "the policy of the test")


def explained(text: str, objects: Iterable[Object], policy: Policy = DEFAULT_POLICY) -> Explanation:
    there = inventory(*objects)
    (ref,) = find_objects(there, text).matches
    return explanation_of(there, policy, ref)


def text_of(explanation: Explanation, width: int | None) -> str:
    return formatted(explanation_layout(explanation), "table", width)


def built(made: Image, instant: datetime) -> Image:
    return replace(made, built_at=instant)


RELEASES = policy_of(
    rule_text("old releases", "image", 'match.repository = "app"', "keep.last = 3", 'remove.older_than = "2d"')
)
APPS = [built(image(f"a{day}", f"app:{day}"), ago(days=day)) for day in range(1, 7)]
