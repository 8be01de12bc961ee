"""Which hosts are meant, and what is said of a selection that means none."""

import pytest

from dockersweep.errors import UsageError
from dockersweep.fleet.hosts import Host
from dockersweep.fleet.selecting import Selection, selected

HOSTS = (
    Host(name="build1", host="ssh://build1", groups=("ci", "large")),
    Host(name="build2", host="ssh://build2", groups=("ci",)),
    Host(name="web", context="web", groups=("live",)),
    Host(name="Web", context="web"),
)


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(), ["build1", "build2", "web", "Web"]),
        (Selection(groups=("ci",)), ["build1", "build2"]),
        (Selection(groups=("live", "large")), ["build1", "web"]),
        (Selection(only=("build*",)), ["build1", "build2"]),
        (Selection(only=("web", "*1")), ["build1", "web"]),
        (Selection(only=("/^[bW]/",)), ["build1", "build2", "Web"]),
        (Selection(without=("build*",)), ["web", "Web"]),
        (Selection(without=("build1", "Web")), ["build2", "web"]),
        (Selection(groups=("ci",), only=("*1", "web")), ["build1"]),
        (Selection(groups=("ci",), without=("*1", "web")), ["build2"]),
    ],
)
def test_which_hosts_are_meant(selection: Selection, names: list[str]) -> None:
    assert [host.name for host in selected(HOSTS, selection)] == names


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(groups=("cii",)), '--group cii: no host is in this group; did you mean "ci"?'),
        (Selection(groups=("ci", "zzz")), "--group zzz: no host is in this group; groups: ci, large, live"),
        (Selection(only=("biuld1",)), '--only biuld1 matches no host; did you mean "build1"?'),
        (Selection(only=("x*",)), "--only x* matches no host; hosts: build1, build2, web, Web"),
        (Selection(without=("x*",)), "--not x* matches no host; hosts: build1, build2, web, Web"),
        (Selection(only=("/(/",)), "--only: /(/ is no regular expression of RE2"),
        (
            Selection(groups=("live",), only=("build1",), without=("Web",)),
            "no host is left: --group live --only build1 --not Web leaves out all 4",
        ),
    ],
)
def test_a_selection_of_nothing_is_an_error(selection: Selection, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        selected(HOSTS, selection)
    assert str(raised.value).startswith(message)


def test_hosts_of_flags_have_no_groups() -> None:
    with pytest.raises(UsageError) as raised:
        selected(HOSTS[3:], Selection(groups=("ci",)))
    assert str(raised.value) == ("--group ci: no host is in this group; only a fleet file gives groups to hosts")


def test_only_some_of_many_are_named() -> None:
    many = tuple(Host(name=f"host{number}", host="/a") for number in range(30))
    with pytest.raises(UsageError) as raised:
        selected(many, Selection(only=("x",)))
    assert str(raised.value).endswith("host9 and 20 more")
