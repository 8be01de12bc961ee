"""What docker puts before `sweep`, in each spelling of its flags; tests/whole/test_in_docker.py has docker itself."""

import pytest

from dockersweep.errors import UsageError
from dockersweep.parser import with_verb
from dockersweep.parser.docker_flags import read_docker_call


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("-H tcp://a", "--host tcp://a"),
        ("-Htcp://a", "--host tcp://a"),
        ("-H=tcp://a", "--host tcp://a"),
        ("--host tcp://a", "--host tcp://a"),
        ("--host=tcp://a", "--host tcp://a"),
        ("-DHtcp://a", "--host tcp://a"),
        ("-DH tcp://a", "--host tcp://a"),
        ("-D=true -Hx", "--host x"),
        ("-H sweep", "--host sweep"),
        ("--host=a=b", "--host a=b"),
        ("-H a -H b", "--host a --host b"),
        ("-c prod", "--context prod"),
        ("-cprod", "--context prod"),
        ("--context=prod --", "--context prod"),
        ("--tlsverify --tlscacert a --tlscert=b --tlskey c", "--tlsverify --tlscacert a --tlscert b --tlskey c"),
        ("--tlsverify=true", "--tlsverify"),
        ("-D --debug --debug=0 -l debug -ldebug --log-level=error", ""),
    ],
)
def test_what_names_an_engine_is_ours_too(words: str, flags: str) -> None:
    call = read_docker_call([*words.split(), "sweep", "-H", "x", "plan"])
    assert call.flags == tuple(flags.split())
    assert (call.rest, call.asks, call.environment) == (("sweep", "-H", "x", "plan"), None, {})


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        ("--config /c", {"DOCKER_CONFIG": "/c"}),
        ("--config=/c", {"DOCKER_CONFIG": "/c"}),
        ("--tls", {"DOCKER_TLS": "1"}),
        ("--tls=F", {"DOCKER_TLS": ""}),
        ("--tlsverify=0", {"DOCKER_TLS": "1", "DOCKER_TLS_VERIFY": ""}),
    ],
)
def test_what_we_have_no_flag_for_is_a_variable(words: str, environment: dict[str, str]) -> None:
    call = read_docker_call([*words.split(), "sweep"])
    assert (call.flags, call.environment) == ((), environment)


@pytest.mark.parametrize(
    ("words", "asks", "rest"),
    [
        ("--help sweep plan", "--help", ("sweep", "plan")),
        ("-h sweep", "--help", ("sweep",)),
        ("-v sweep", "--version", ("sweep",)),
        ("-D help sweep", None, ("help", "sweep")),
        ("-- sweep -- plan", None, ("sweep", "--", "plan")),
        ("", None, ()),
        ("- sweep", None, ("-", "sweep")),
    ],
)
def test_the_rest_begins_where_its_flags_end(words: str, asks: str | None, rest: tuple[str, ...]) -> None:
    call = read_docker_call(words.split())
    assert (call.asks, call.rest, call.flags) == (asks, rest, ())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--engine tcp://a sweep", 'docker was given "--engine", which dockersweep does not know and which could name'),
        ("--engine=tcp://a sweep", 'docker was given "--engine=tcp://a", which'),
        ("-Etcp://a sweep", 'docker was given "-Etcp://a", which'),
        ("-DE=x sweep", 'docker was given "-DE=x", which'),
        ("-E sweep", 'docker was given "-E", which'),
        ("--tls=maybe sweep", 'docker was given --tls="maybe": write true or false'),
        ("--tlsverify= sweep", 'docker was given --tlsverify="": write true or false'),
        ("-H", "docker was given -H without a value"),
    ],
)
def test_what_may_mean_another_engine_is_refused(words: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_docker_call(words.split())
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "sweep"),
        ("plan --kind image", "plan --kind image"),
        ("-n", "sweep -n"),
        ("--kind plan", "sweep --kind plan"),
        ("-H plan", "sweep -H plan"),
        ("-H x --format=json plan", "-H x --format=json plan"),
        ("--yes -H x", "sweep --yes -H x"),
        ("plna", "plna"),
        ("-H x plna", "-H x plna"),
        ("-- plan", "sweep -- plan"),
    ],
)
def test_a_line_without_a_verb_is_a_sweep(line: str, expected: str) -> None:
    assert with_verb(line.split(), "sweep") == expected.split()
