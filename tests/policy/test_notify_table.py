"""The table [notify] of a policy file, and that nothing ever repeats the passwords in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.commands.gather import policy_digest
from dockersweep.errors import PolicyError
from dockersweep.model.policy import NotifySettings, Policy, without_secrets
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.reading import read_policy, read_policy_file
from dockersweep.policy.planning.planner import make_plan
from dockersweep.report.formats import formatted
from dockersweep.report.policy import policy_layout
from dockersweep.words.documents import write_document
from tests.rig.examples import examples
from tests.rig.inventories import NOW, container, inventory

SECRET = "hunter2"
NOTHING = "version = 1\nremoves_nothing = true\n"
WHOLE = (
    NOTHING
    + f"""[notify]
command = ["/usr/local/bin/on-sweep", "--token={SECRET}"]
urls = ["slack://{SECRET}/b/c", "mailtos://me:{SECRET}@example.com"]
on = ["failed", "silent"]
timeout = "1m30s"
"""
)


def policy(text: str) -> Policy:
    return read_policy(text.encode(), "the policy")


def problems(text: str) -> list[str]:
    return [problem.words() for problem in read_policy_file(text.encode(), "the policy").problems]


def test_a_table_is_understood() -> None:
    assert policy(WHOLE).notify == NotifySettings(
        command=("/usr/local/bin/on-sweep", f"--token={SECRET}"),
        urls=(f"slack://{SECRET}/b/c", f"mailtos://me:{SECRET}@example.com"),
        on=("failed", "silent"),
        timeout_seconds=90,
    )


def test_what_is_left_out_has_a_default() -> None:
    settings = policy(NOTHING + '[notify]\nurls = "ntfys://topic"\n').notify
    assert settings is not None
    assert (settings.command, settings.urls, settings.timeout_seconds) == ((), ("ntfys://topic",), 30)
    assert settings.on == ("removed", "failed", "target-missed")


def test_one_event_needs_no_list() -> None:
    settings = policy(NOTHING + '[notify]\nurls = "ntfys://topic"\non = "silent"\n').notify
    assert settings is not None
    assert settings.on == ("silent",)


CASES = {
    "[notify]": "line 3, column 2: [notify] tells nobody: write command or urls, or leave it out",
    '[notify]\ncommand = "/bin/true"': (
        "line 4, column 11: notify.command must be a list of texts, not a text: write its path and each argument by "
        "itself"
    ),
    '[notify]\ncommand = ["on-sweep"]': (
        "line 4, column 12: notify.command must begin with the absolute path of a program: no shell looks for it"
    ),
    "[notify]\ncommand = []": (
        "line 4, column 11: notify.command is an empty list: write at least one value, or leave the key out"
    ),
    '[notify]\nurls = ["ntfy:topic"]': (
        "line 4, column 9: notify.urls: it is not an address of a service: write one like ntfys://topic, as apprise "
        "takes it"
    ),
    '[notify]\nurls = "ntfy://"': (
        "line 4, column 8: notify.urls: it is not an address of a service: write one like ntfys://topic, as apprise "
        "takes it"
    ),
    '[notify]\nurls = ["json://a", "json://a"]': "line 4, column 8: notify.urls has a value twice: once is enough",
    '[notify]\nurls = "json://a"\non = ["failed", "failed"]': (
        "line 5, column 6: notify.on has a value twice: once is enough"
    ),
    '[notify]\nurls = "json://a"\ntimeout = "0s"': (
        "line 5, column 11: notify.timeout: it is too short for any answer: write seconds or minutes, like 30s"
    ),
    '[notify]\nurls = "json://a"\ntimeout = "2h"': (
        "line 5, column 11: notify.timeout is too long for a run to wait: at most 1h"
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_problem(text: str) -> None:
    assert problems(f"{NOTHING}{text}\n") == [CASES[text]]


MISTAKES = [
    f'notify = "slack://{SECRET}"',
    f'[notify]\ncommand = "/x --token={SECRET}"',
    f'[notify]\ncommand = ["x {SECRET}"]',
    f'[notify]\ncommand = ["/x", "{SECRET}\\u0000"]',
    f'[notify]\nurls = "{SECRET}"',
    f'[notify]\nurls = ["json://a", "{SECRET}"]',
    f'[notify]\nurls = ["slack://{SECRET}\\n"]',
    f'[notify]\nurls = [["slack://{SECRET}"]]',
    f'[notify]\nurls = {{slack = "slack://{SECRET}"}}',
    f'[notify]\n"slack://{SECRET}" = true',
    f'[notify]\nurls = ["slack://{SECRET}", "slack://{SECRET}"]',
    f'[notify]\nurls = ["json://a"]\non = "{SECRET}"',
    f'[notify]\nurls = ["json://a"]\ntimeout = "{SECRET}"',
    f'[notify]\nurl = ["slack://{SECRET}"]',
    f'[notfy]\nurls = ["slack://{SECRET}"]',
    f"[notify]\nurls = [slack://{SECRET}]",
    f'[notify]\nurls = ["slack://{SECRET}]',
    f"[notify]\nurls = [\n'slack://{SECRET}?a=b'\n]\nurls = [\n'slack://{SECRET}?a=b']",
    f"[notify]\nurls = ['a',\n'slack://{SECRET}?a=b']\nurls = ['a',\n'slack://{SECRET}?a=b']",
]


@pytest.mark.parametrize("text", MISTAKES)
def test_no_problem_repeats_a_password(text: str) -> None:
    reading = read_policy_file(f"{NOTHING}{text}\n".encode(), "the policy")
    assert reading.problems
    assert SECRET not in repr([problem.words() for problem in reading.problems])
    with pytest.raises(PolicyError) as raised:
        reading.valid_policy()
    assert SECRET not in str(raised.value)


def test_a_policy_in_words_has_no_password() -> None:
    text = formatted(policy_layout(policy(WHOLE)), "table", None)
    assert SECRET not in text
    assert text.splitlines()[-1] == (
        "After a run that failed or had nothing else to report, /usr/local/bin/on-sweep is run and slack://... "
        "and mailtos://... are told."
    )


def test_a_policy_in_a_traceback_has_no_password() -> None:
    assert "hunter2/b/c" not in repr(policy(WHOLE))
    assert "slack://..." in repr(policy(WHOLE).notify)


def test_a_plan_has_nobody_to_tell_in_it() -> None:
    rule = '[[rule]]\nname = "a"\nkind = "container"\neverything = true\nremove.stopped_for = "0s"\n'
    made = policy(WHOLE.replace("removes_nothing = true\n", rule))
    assert made.notify is not None
    plan = make_plan(Survey(inventory(container("a")), NOW), made)
    assert plan.policy.notify is None
    document = write_document(plan)
    assert SECRET not in document
    assert "on-sweep" not in document


def test_whom_a_policy_tells_changes_no_digest() -> None:
    """It is compared between machines, and could be tried against passwords."""
    assert policy_digest(policy(WHOLE)) == policy_digest(policy(NOTHING))


def test_of_an_address_its_scheme_is_shown() -> None:
    assert without_secrets(f"slack://{SECRET}") == "slack://..."
    assert without_secrets(SECRET) == "..."
    assert without_secrets(f"{SECRET} x://a") == "..."


@examples(100)
@given(st.text(), st.text(st.characters(codec="ascii"), min_size=3))
def test_of_any_text_no_more_than_a_scheme_is_shown(before: str, after: str) -> None:
    shown = without_secrets(f"{before}://{after}")
    assert shown in ("...", f"{before.partition('://')[0]}://...")
