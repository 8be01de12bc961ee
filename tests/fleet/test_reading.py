"""What a fleet file says, and what is said of one that is wrong."""

import pytest

from dockersweep.fleet.hosts import Rollout
from dockersweep.fleet.reading import FleetReading, read_fleet_file, rollout_of
from dockersweep.model.fleetfile import PARALLEL, HostTable, RolloutTable
from dockersweep.policy.language.problems import KeyProblem

WHOLE = """\
version = 1
[defaults]
policy = "ci.toml"
parallel = 4
connect_timeout = "20s"

[[host]]
name = "build1"
host = "ssh://root@build1"
groups = ["ci"]
policy = "ci-large.toml"

[[host]]
name = "build2"
context = "build2"

[rollout]
canary = 1
max_failures = "10%"
splay = "30m"
"""


def read(text: str) -> FleetReading:
    return read_fleet_file(text.encode())


def problems(text: str) -> list[str]:
    """The problems of a fleet file, with their places."""
    return [problem.words() for problem in read(text).problems]


def problems_of_a_host(lines: str) -> list[str]:
    return problems(f'version = 1\n[[host]]\nname = "a"\n{lines}\n')


def test_a_whole_file() -> None:
    reading = read(WHOLE)
    assert reading.problems == ()
    assert reading.defaults.policy == "ci.toml"
    assert (reading.defaults.parallel, reading.defaults.connect_timeout) == (4, "20s")
    assert [host.table for host in reading.hosts] == [
        HostTable(name="build1", host="ssh://root@build1", groups=["ci"], policy="ci-large.toml"),
        HostTable(name="build2", context="build2"),
    ]
    assert all(host.has_address for host in reading.hosts)
    assert rollout_of(reading.rollout, 25) == Rollout(canary=1, max_failures=2, splay_seconds=1800)


def test_what_is_left_out_has_a_default() -> None:
    reading = read('version = 1\n[[host]]\nname = "a"\nhost = "unix:///a"\n')
    assert reading.problems == ()
    assert reading.defaults.parallel == PARALLEL
    assert rollout_of(reading.rollout, 1) == Rollout()


@pytest.mark.parametrize(
    ("written", "hosts", "limit"),
    [(None, 10, None), (0, 10, 0), (3, 2, 3), ("10%", 9, 0), ("29%", 100, 29), ("12.5 %", 16, 2), ("100%", 3, 3)],
)
def test_a_share_of_failures_is_of_the_selected_hosts_and_rounded_down(
    written: int | str | None, hosts: int, limit: int | None
) -> None:
    assert rollout_of(RolloutTable(max_failures=written), hosts).max_failures == limit


def test_names_may_differ_in_case_only() -> None:
    assert problems_of_a_host('host = "/a"\n[[host]]\nname = "A"\nhost = "/b"') == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('hots = "ssh://a"', 'line 4, column 1: there is no key "hots" in a host; did you mean "host"?'),
        (
            'host = "/a"\nparallel = 3',
            (
                'line 5, column 1: there is no key "parallel" in a host; there are name, host, context, groups, '
                "policy, tlsverify, tlscacert, tlscert, tlskey"
            ),
        ),
        ("host = 5", "line 4, column 8: host must be a text, not the number 5"),
        ('host = ""', "line 4, column 8: host: it is empty: write a text"),
        (
            'host = "/a"\ngroups = "ci"',
            'line 5, column 10: groups must be a list of texts, not the text "ci": write groups = ["ci"]',
        ),
        ('host = "/a"\ngroups = ["a", 3]', "line 5, column 16: every value of groups must be a text, not the number 3"),
        (
            'host = "/a"\ngroups = ["a\\u001b"]',
            r'line 5, column 11: groups: "a\x1b" has control characters: write it without them',
        ),
        ('host = "/a"\ntlsverify = "yes"', 'line 5, column 13: tlsverify must be true or false, not the text "yes"'),
        ('host = "/a"\ncontext = "a"', "line 5, column 1: a host has either host or context: leave one of them out"),
        ("groups = []", 'line 2, column 1: this host has no address: write host = "ssh://..." or context = "..."'),
    ],
)
def test_a_host_that_is_wrong(lines: str, problem: str) -> None:
    assert problem in problems_of_a_host(lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1, column 1: version is missing: this dockersweep reads version 1, so write version = 1 at the top"),
        ("", 'line 1, column 1: no host is named: write [[host]], and below it name = "..." and host = "ssh://..."'),
        ("version = 2\nnothing = 1", "line 1, column 11: version is 2: this dockersweep reads version 1"),
        ("version = 1\n[default]", 'line 2, column 2: there is no key "default" at the top; did you mean "defaults"?'),
        (
            "version = 1\nparallel = 4",
            'line 2, column 1: there is no key "parallel" at the top; did you mean "defaults.parallel"?',
        ),
        (
            'version = 1\nhost = "ssh://a"',
            (
                "line 2, column 8: host must be tables that each begin with [[host]], "
                'not the text "ssh://a": write [[host]], and below it name = "..." and host = "ssh://a"'
            ),
        ),
        (
            'version = 1\n[host]\nname = "a"\nport = 1',
            "line 2, column 2: host must be tables that each begin with [[host]], not a table: write [[host]]",
        ),
        ('version = 1\n[host]\nname = "a"\nport = 1', 'line 4, column 1: there is no key "port" in a host'),
        (
            'version = 1\n[[hosts]]\nnmae = "a"',
            'line 2, column 3: there is no key "hosts" at the top; did you mean "host"?',
        ),
        (
            'version = 1\n[[hosts]]\nnmae = "a"',
            'line 3, column 1: there is no key "nmae" in a host; did you mean "name"?',
        ),
        (
            "version = 1\n[[host]]",
            'line 2, column 1: a host needs a name by which the output calls it: write name = "..."',
        ),
        ("version = 1\n[defaults]\nparallel = 0", "line 3, column 12: defaults.parallel is 0: it must be at least 1"),
        (
            "version = 1\n[defaults]\nconnect_timeout = 20",
            (
                "line 3, column 19: defaults.connect_timeout must be a duration "
                'like "30s" or "10m", not the number 20; did you mean "20s"?'
            ),
        ),
        (
            'version = 1\n[defaults]\nconnect_timeout = "0s"',
            (
                'line 3, column 19: defaults.connect_timeout: "0s" is too short for any answer: '
                "write seconds or minutes, like 30s"
            ),
        ),
        (
            'version = 1\n[rollout]\nsplay = "1mo"',
            'line 3, column 9: rollout.splay: "1mo" is too long to wait: write seconds, minutes, hours or days',
        ),
        ("version = 1\n[rollout]\ncanary = -1", "line 3, column 10: rollout.canary is -1: it cannot be negative"),
        (
            'version = 1\n[rollout]\nmax_failures = "1"',
            'line 3, column 16: rollout.max_failures: "1" is not a share: write a number from 0 to 100 and %, like 60%',
        ),
        (
            "version = 1\n[rollout]\nmax_failures = 0.1",
            'line 3, column 16: rollout.max_failures must be a whole number or a share like "60%", not the number 0.1',
        ),
        ("version = 1\n[[host]\n", "line 2, column 7: the name of a table in a list must end with ]]"),
    ],
)
def test_a_file_that_is_wrong(text: str, problem: str) -> None:
    assert [told for told in problems(text) if told.startswith(problem)]


def test_two_hosts_of_one_name() -> None:
    again = problems_of_a_host('host = "/a"\n\n[[host]]\nname = "a"\nhost = "/b"\n\n[[host]]\nname = "a"\nhost = "/c"')
    text = 'another host has the name "a" already: give each its own (line 2)'
    assert again == [f"line 7, column 8: {text}", f"line 11, column 8: {text}"]


def test_all_is_told_at_once_and_by_line() -> None:
    reading = read(
        'version = 1\n[[host]]\nname = "a"\nhost = "/a"\nx = 1\n[[host]]\nname = "a"\n[rollout]\ncanary = "1"\n'
    )
    others = [KeyProblem(("host", 0, "host"), "elsewhere", at="value")]
    told = reading.all_problems(others)
    assert [problem.line for problem in told] == [4, 5, 6, 7, 9]
    assert [problem for problem in told if problem.text != "elsewhere"] == list(reading.problems)


def test_what_is_valid_in_a_file_with_problems_is_read() -> None:
    reading = read(
        'version = 1\n[defaults]\npolicy = "p"\nparallel = 0\n'
        '[[host]]\nhost = "/a"\npolicy = "q"\n'
        '[[host]]\nname = "b"\nhost = "/b"\ntlsverfy = true\n'
        '[[host]]\nname = "c"\nhost = "/c"\ncontext = "c"\n'
    )
    assert (reading.defaults.policy, reading.defaults.parallel) == ("p", PARALLEL)
    assert [(host.table.policy, host.has_address) for host in reading.hosts] == [
        ("q", True),
        (None, False),
        (None, False),
    ]
