"""What is told of a policy that was read again."""

import pytest

from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.watching.policy_changes import policy_changes

BEFORE = 'version = 1\n[target]\nstart_above = "80%"\n'


@pytest.mark.parametrize(
    ("after", "changes"),
    [
        (BEFORE, []),
        (f"{BEFORE}# what is no more\n", []),
        # What the words of the target leave out changes it too.
        (f'{BEFORE}older_than = "5s"\n', ["[target]"]),
        (f'{BEFORE}[protect]\nlabels = ["keep"]\n[watch]\nsettle = "0s"\n', ["[protect]", "[watch]"]),
        (f'{BEFORE}[notify]\ncommand = ["/bin/a"]\n[limits]\nobjects = 3\n', ["[limits]", "[notify]"]),
        (f"{BEFORE}[archive]\n", ["[archive]"]),
        (f'{BEFORE}[registries]\nask = true\n[report]\nsilence = ["DS003"]\n', ["[registries]", "[report]"]),
        ('version = 1\n[[rule]]\nname = "a"\nkind = "container"\nremove.older_than = "1h"\n', ["[[rule]]", "[target]"]),
    ],
)  # fmt: skip
def test_each_table_that_is_another_one_is_named(after: str, changes: list[str]) -> None:
    assert list(policy_changes(read_policy(BEFORE.encode(), "a"), read_policy(after.encode(), "a"))) == changes


def test_a_file_elsewhere_is_a_change() -> None:
    assert list(policy_changes(read_policy(BEFORE.encode(), "a"), read_policy(BEFORE.encode(), "b"))) == ["its place"]
