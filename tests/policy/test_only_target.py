"""With --only-target rules keep what they keep, and only the space target removes something."""

import pytest
from hypothesis import given
from msgspec.structs import replace

from dockersweep.errors import UsageError
from dockersweep.model.inventory import Inventory
from dockersweep.model.policy import Policy
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.language.reading import read_policy
from tests.policy.inventory_strategies import INVENTORIES
from tests.policy.policy_strategies import AIMED_POLICIES
from tests.rig.examples import examples
from tests.rig.inventories import inventory, plan_of, volume


@given(INVENTORIES, AIMED_POLICIES)
@examples(100)
def test_it_removes_what_a_policy_removes_whose_rules_only_keep(seen: Inventory, policy: Policy) -> None:
    only_keeping = tuple(replace(rule, remove=None) for rule in policy.rules)
    for_target = plan_of(seen, replace(policy, only_target=True))
    assert for_target.removals == plan_of(seen, replace(policy, rules=only_keeping, only_target=False)).removals
    for decision in for_target.decisions:
        assert not decision.untag
        assert decision.verdict == "keep" or "space" in {reason.code for reason in decision.reasons}


def test_what_a_rule_would_remove_says_so() -> None:
    old = '[[rule]]\nname = "old"\nkind = "volume"\neverything = true\nremove.older_than = "1d"'
    rule = f'version = 1\n{old}\n[target]\nfree = "1GB"\n'
    policy = replace(read_policy(rule.encode(), "a test"), only_target=True)
    [decision] = plan_of(inventory(volume("v", anonymous=False)), policy).decisions
    assert decision.verdict == "keep"
    assert (decision.reasons[0].code, decision.reasons[0].rule) == ("no-rule", "old")


def test_without_a_target_it_is_refused() -> None:
    with pytest.raises(UsageError, match=r"leaves nothing to remove: the default policy has no target; write a \[targ"):
        policy_from_flags(PolicyFlags(only_target=True), DEFAULT_POLICY)
    assert policy_from_flags(PolicyFlags(only_target=True, free_bytes=5), DEFAULT_POLICY).only_target
