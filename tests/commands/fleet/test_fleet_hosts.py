"""Which hosts a run has, and all that is wrong with them before any is asked."""

import os
import socket
from contextlib import chdir
from pathlib import Path

import pytest

from dockersweep.commands.fleet.fleet_hosts import MOST_PROBLEMS, NamedHosts, fleet_hosts
from dockersweep.errors import HostsError, UsageError
from dockersweep.fleet.hosts import Host, Hosts, Rollout
from dockersweep.fleet.selecting import Selection
from dockersweep.model.engine_address import TlsFlags
from dockersweep.policy.language.lint import lint_policy
from dockersweep.policy.language.reading import read_policy_file
from tests.commands.calling import BROKEN, SCRATCH, needs_root
from tests.engine.test_endpoint import write_context

ALL = Selection()


class Fleet:
    """A folder with a fleet file and what it names, and a configuration of docker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.docker = folder / ".docker"
        self.docker.mkdir()
        self.environment = {"DOCKER_CONFIG": str(self.docker), "DOCKER_HOST": "unix:///nothing/here.sock"}

    def write(self, name: str, text: str) -> Path:
        """Write a file that root trusts."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    def read(self, text: str, selection: Selection = ALL) -> Hosts:
        """Read a fleet file of this text."""
        path = self.write("fleet.toml", text)
        return fleet_hosts(NamedHosts(fleet=str(path), selection=selection), self.environment)

    def of_flags(self, named: NamedHosts) -> Hosts:
        return fleet_hosts(named, self.environment)

    def problems(self, text: str) -> list[str]:
        """What is wrong with a fleet file of this text, without its path and that of the folder."""
        with pytest.raises(HostsError) as raised:
            self.read(text)
        assert str(raised.value) == "\n".join(raised.value.sentences)
        path = str(self.folder / "fleet.toml")
        assert all(sentence.startswith(path) for sentence in raised.value.sentences)
        return [
            sentence.removeprefix(path).replace(f"{self.folder}/", "").removeprefix(":")
            for sentence in raised.value.sentences
        ]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_a_fleet_file_with_everything(fleet: Fleet) -> None:
    for name in ("ci.toml", "large.toml"):
        fleet.write(name, SCRATCH)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        fleet.write(name, "x")
    write_context(fleet.docker, "box", "unix:///run/box.sock")
    hosts = fleet.read(
        'version = 1\n[defaults]\npolicy = "ci.toml"\nparallel = 3\nconnect_timeout = "1m"\n'
        '[[host]]\nname = "a"\nhost = "ssh://root@a"\ngroups = ["ci", "x"]\npolicy = "large.toml"\n'
        '[[host]]\nname = "b"\ncontext = "box"\n'
        '[[host]]\nname = "c"\nhost = "tcp://c:2376"\ntlsverify = true\ntlscacert = "ca.pem"\ntlscert = "cert.pem"\n'
        f'tlskey = "{fleet.folder}/key.pem"\npolicy = "default"\n'
        '[rollout]\ncanary = 1\nmax_failures = "50%"\nsplay = "5m"\n'
    )
    folder = f"{fleet.folder}/"
    assert hosts == Hosts(
        hosts=(
            Host(name="a", host="ssh://root@a", groups=("ci", "x"), policy=f"{folder}large.toml"),
            Host(name="b", context="box", policy=f"{folder}ci.toml"),
            Host(
                name="c",
                host="tcp://c:2376",
                policy="default",
                tls=TlsFlags(verify=True, ca=f"{folder}ca.pem", cert=f"{folder}cert.pem", key=f"{folder}key.pem"),
            ),
        ),
        parallel=3,
        connect_timeout_seconds=60,
        rollout=Rollout(canary=1, max_failures=1, splay_seconds=300),
    )
    assert [host.address for host in hosts.hosts] == ["ssh://root@a", "context box", "tcp://c:2376"]


def test_the_example_holds_where_it_is_copied_to(fleet: Fleet, checkout: Path) -> None:
    for file in (checkout / "share" / "examples" / "fleet").iterdir():
        fleet.write(file.name, file.read_text())
    hosts = fleet.of_flags(NamedHosts(fleet=str(fleet.folder / "fleet.toml")))
    assert [(host.name, host.policy) for host in hosts.hosts] == [
        ("build1", f"{fleet.folder}/ci.toml"),
        ("build2", f"{fleet.folder}/ci.toml"),
        ("web", "default"),
    ]
    assert hosts.rollout == Rollout(canary=1, max_failures=1)
    reading = read_policy_file((fleet.folder / "ci.toml").read_bytes(), "the example")
    assert lint_policy(reading) == ()


def test_paths_are_relative_to_the_fleet_file_wherever_it_is_named_from(fleet: Fleet) -> None:
    fleet.write("ci.toml", SCRATCH)
    fleet.write("fleet.toml", 'version = 1\n[[host]]\nname = "a"\nhost = "/a"\npolicy = "ci.toml"\n')
    with chdir(fleet.folder):
        [host] = fleet.of_flags(NamedHosts(fleet="fleet.toml")).hosts
        assert host.policy == "ci.toml"
    with chdir(fleet.folder.parent):
        [host] = fleet.of_flags(NamedHosts(fleet=f"{fleet.folder.name}/fleet.toml")).hosts
        assert host.policy == f"{fleet.folder.name}/ci.toml"


def test_without_a_policy_the_flags_and_the_machine_decide(fleet: Fleet) -> None:
    [host] = fleet.read('version = 1\n[[host]]\nname = "a"\nhost = "/a"\n').hosts
    assert host == Host(name="a", host="/a")


def test_everything_that_is_wrong_is_told_at_once(fleet: Fleet) -> None:
    fleet.write("broken.toml", BROKEN)
    write_context(fleet.docker, "cluster", "")
    assert fleet.problems(
        'version = 1\n[defaults]\npolicy = "none.toml"\nparalel = 3\n'
        '[[host]]\nname = "a"\nhost = "ssh://me:secret@a"\npolicy = "broken.toml"\n'
        '[[host]]\nname = "a"\ncontext = "nope"\npolicy = "none.toml"\n'
        '[[host]]\nname = "c"\nhost = "tcp://c"\ntlsverify = true\ntlscacert = "ca.pem"\n'
        '[[host]]\nname = "d"\ncontext = "cluster"\npolicy = "-"\n'
    ) == [
        "3:10: the policy file none.toml cannot be read: No such file or directory",
        '4:1: there is no key "paralel" in defaults; did you mean "parallel"?',
        ('7:8: "ssh://***@a" has a password, which ssh takes from no URL: set up a key, and leave the password out'),
        (
            "8:10: the policy in broken.toml, line 4, column 8: kind must be "
            '"build-cache", "container", "image", "network" or "volume", or a list of such, not the text "volum"; '
            'did you mean "volume"? (and 2 more problems: see `dockersweep policy check broken.toml`)'
        ),
        '10:8: another host has the name "a" already: give each its own (line 5)',
        '11:11: there is no context "nope" under .docker; `docker context ls` lists them',
        "16:13: tlscacert: ca.pem does not exist; a certificate or key is expected there",
        '20:11: context "cluster" names no docker endpoint; name the engine with host',
        "21:10: standard input cannot be the policy of several hosts: name a file",
    ]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('host = "tcp://c"\ntlscacert = "x"', "5:13: tlscacert, tlscert and tlskey encrypt nothing by themselves: "),
        ('host = "/c"\ntlsverify = true', "5:13: tlsverify: unix:///c is a unix socket, which has no TLS"),
        ('host = "ftp://c"\ntlsverify = true', '4:8: "ftp://c" is not an engine: '),
    ],
)
def test_an_address_is_wrong_at_its_key(fleet: Fleet, lines: str, problem: str) -> None:
    [told] = fleet.problems(f'version = 1\n[[host]]\nname = "c"\n{lines}\n')
    assert told.startswith(problem)


def test_what_cannot_be_checked_is_not_held_against_it(fleet: Fleet) -> None:
    """A key that is wrong may be what the certificate needs."""
    [told] = fleet.problems('version = 1\n[[host]]\nname = "c"\nhost = "tcp://c"\ntlsverfy = true\ntlscacert = "x"\n')
    assert told.startswith('5:1: there is no key "tlsverfy" in a host; did you mean "tlsverify"?')


@pytest.mark.parametrize(("count", "words"), [(1, "1 more problem"), (30, "30 more problems")])
def test_of_many_problems_the_first_are_told(fleet: Fleet, count: int, words: str) -> None:
    one_host = '[[host]]\nname = "{0}"\nhost = "ftp://{0}"\n'
    told = fleet.problems("version = 1\n" + "".join(one_host.format(n) for n in range(MOST_PROBLEMS + count)))
    assert (len(told), told[-1]) == (MOST_PROBLEMS + 1, f" has {words}")


def test_a_file_that_is_not_there_or_no_toml(fleet: Fleet) -> None:
    with pytest.raises(HostsError) as raised:
        fleet.of_flags(NamedHosts(fleet="/none/fleet.toml"))
    assert raised.value.sentences == ("the fleet file /none/fleet.toml cannot be read: No such file or directory",)
    assert fleet.problems("version = 1\n[[host]\n") == ["2:7: the name of a table in a list must end with ]]"]
    assert fleet.problems("x = " + "[" * 5000) == [" lists or tables are nested too deep to be read"]


@needs_root
def test_root_distrusts_a_file_that_others_can_write(fleet: Fleet) -> None:
    path = fleet.write("fleet.toml", 'version = 1\n[[host]]\nname = "a"\nhost = "/a"\npolicy = "ci.toml"\n')
    fleet.write("ci.toml", SCRATCH).chmod(0o666)
    with pytest.raises(HostsError, match=r":5:10: the policy file .*ci\.toml can be written by others than root"):
        fleet.of_flags(NamedHosts(fleet=str(path)))
    path.chmod(0o666)
    with pytest.raises(HostsError, match=r"the fleet file .*fleet\.toml can be written by others than root"):
        fleet.of_flags(NamedHosts(fleet=str(path)))


def test_a_selection_of_a_file_counts_for_its_share(fleet: Fleet) -> None:
    text = "version = 1\n" + "".join(
        f'[[host]]\nname = "h{number}"\nhost = "/{number}"\ngroups = ["g{number % 2}"]\n' for number in range(10)
    )
    text += '[rollout]\nmax_failures = "20%"\n'
    assert fleet.read(text).rollout.max_failures == 2
    chosen = fleet.read(text, Selection(groups=("g1",), without=("h9",)))
    assert [host.name for host in chosen.hosts] == ["h1", "h3", "h5", "h7"]
    assert chosen.rollout.max_failures == 0
    with pytest.raises(UsageError, match=r"--group g3: no host is in this group; groups: g0, g1"):
        fleet.read(text, Selection(groups=("g3",)))


def test_hosts_of_flags(fleet: Fleet) -> None:
    named = NamedHosts(hosts=("ssh://a", "/run/b.sock"), selection=Selection(only=("a", "*b*")))
    assert fleet.of_flags(named) == Hosts(
        hosts=(Host(name="a", host="ssh://a"), Host(name="/run/b.sock", host="/run/b.sock"))
    )
    fleet.write("ca.pem", "x")
    tls = TlsFlags(verify=True, ca=str(fleet.folder / "ca.pem"))
    assert {host.tls for host in fleet.of_flags(NamedHosts(hosts=("tcp://a", "tcp://b"), tls=tls)).hosts} == {tls}


def test_what_is_wrong_with_flags_is_told_at_once_and_no_password(fleet: Fleet) -> None:
    urls = ("ftp://a", "ssh://me:secret@b", "ssh://me:secret@b", "/c", "/c", "/d")
    with pytest.raises(HostsError) as raised:
        fleet.of_flags(NamedHosts(hosts=urls))
    assert [sentence.partition(":")[0] for sentence in raised.value.sentences] == [
        '"ftp',
        '"ssh',
        "/c is named 2 times",
    ]
    assert "secret" not in str(raised.value)


def test_hosts_of_contexts(fleet: Fleet) -> None:
    write_context(fleet.docker, "box", "unix:///run/box.sock")
    write_context(fleet.docker, "far", "tcp://far:2376", tls=True)
    hosts = fleet.of_flags(NamedHosts(contexts=("far", "box")))
    assert hosts.hosts == (Host(name="far", context="far"), Host(name="box", context="box"))
    with pytest.raises(HostsError) as raised:
        fleet.of_flags(NamedHosts(contexts=("far", "nope", "none"), tls=TlsFlags(verify=True)))
    assert [sentence.split(" (from")[0] for sentence in raised.value.sentences] == [
        'context "far"',
        'context "nope"',
        'context "none"',
    ]


def test_all_contexts_that_have_an_engine(fleet: Fleet) -> None:
    for name, url in (("box10", "unix:///run/box.sock"), ("box9", "unix:///run/box.sock"), ("cluster", "")):
        write_context(fleet.docker, name, url)
    named = NamedHosts(all_contexts=True)
    assert [host.context for host in fleet.of_flags(named).hosts] == ["box9", "box10"]
    path = fleet.folder / "here.sock"
    with chdir(fleet.folder), socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)
    fleet.environment["DOCKER_HOST"] = f"unix://{path}"
    assert [host.context for host in fleet.of_flags(named).hosts] == ["default", "box9", "box10"]
    fleet.environment["DOCKER_HOST"] = "tcp://far"
    assert [host.name for host in fleet.of_flags(named).hosts] == ["default", "box9", "box10"]


def test_no_context_at_all_is_an_error(fleet: Fleet) -> None:
    with pytest.raises(UsageError, match=r"no context under .* has an engine: name the hosts with --host"):
        fleet.of_flags(NamedHosts(all_contexts=True))


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (NamedHosts(hosts=("/a",), contexts=("a",)), "--host and --context name the hosts each: give one of them"),
        (NamedHosts(contexts=("a",), all_contexts=True), "--context and --all-contexts name the hosts each"),
        (NamedHosts(hosts=("/a",), fleet="x"), "--host and --fleet name the hosts each"),
        (NamedHosts(fleet="x", tls=TlsFlags(verify=True)), "a fleet file has tlsverify and the like for each host"),
    ],
)
def test_flags_that_contradict_each_other(fleet: Fleet, named: NamedHosts, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        fleet.of_flags(named)
    assert str(raised.value).startswith(message)


def test_names_of_paths_that_are_no_text(fleet: Fleet) -> None:
    path = os.fsencode(fleet.folder) + b"/\xff.toml"
    with pytest.raises(HostsError) as raised:
        fleet.of_flags(NamedHosts(fleet=os.fsdecode(path)))
    assert "cannot be read" in str(raised.value)
    with open(path, "w") as file:
        file.write("x = 1\n")
    os.chmod(path, 0o644)
    with pytest.raises(HostsError) as raised:
        fleet.of_flags(NamedHosts(fleet=os.fsdecode(path)))
    assert r"/\xff.toml:1:1: " in str(raised.value)


def test_names_of_urls_are_short_unless_two_would_be_one(fleet: Fleet) -> None:
    short = fleet.of_flags(NamedHosts(hosts=("ssh://root@a", "tcp://b:2375", "unix:///c.sock"))).hosts
    assert [host.name for host in short] == ["root@a", "b:2375", "unix:///c.sock"]
    whole = fleet.of_flags(NamedHosts(hosts=("ssh://a:2375", "tcp://a:2375"))).hosts
    assert [host.name for host in whole] == ["ssh://a:2375", "tcp://a:2375"]
