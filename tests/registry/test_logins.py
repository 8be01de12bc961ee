"""Who we are at a registry, and to whom that is never shown."""

import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from msgspec.structs import replace

from dockersweep.model.registry import RegistryAccess
from dockersweep.registry.challenge import Challenge, challenge_of
from dockersweep.registry.credentials import CredentialFiles, Credentials
from dockersweep.registry.transport import Reply as Got
from dockersweep.registry.unknown import NotKnownError
from tests.registry.asked import DOCKER, ask, why_unknown
from tests.registry.conftest import DIGEST, OF_A_REGISTRY
from tests.rig.scripted_http import Asked, Reply, Script, Scripted, scripted

ME = "Basic " + base64.b64encode(b"me:secret").decode()
THERE = Reply(200, OF_A_REGISTRY)


def login(home: Path, **auths: Mapping[str, object]) -> None:
    """Write what `docker login` leaves, by registry."""
    folder = home / ".docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": auths}))


def logged_in(home: Path, *registries: str) -> None:
    login(home, **{one: {"auth": base64.b64encode(b"me:secret").decode()} for one in registries})


def behind(challenge: str, accepted: str) -> Script:
    """A registry that has all, for who shows what it accepts."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") == accepted or asked.path == "/v2/":
            return THERE
        return Reply(401, {"WWW-Authenticate": challenge})

    return answer


def tokens(accepted: str | None) -> Script:
    """A token service that gives one to who shows what it accepts, and asks for the right scope."""

    def answer(asked: Asked) -> Reply:
        query = parse_qs(urlsplit(asked.path).query)
        is_right = query == {"service": ["registry"], "scope": ["repository:team/app:pull"], "a": ["1"]}
        if asked.headers.get("authorization") != accepted or not is_right:
            return Reply(403)
        return Reply(200, {}, b'{"token": "a.token", "expires_in": 300}')

    return answer


def realm(scheme: str, host: str, service: Scripted) -> str:
    return f'Bearer realm="{scheme}://{host}:{service.port}/token?a=1",service="registry",scope="ignored"'


def test_a_name_and_a_password(tmp_path: Path) -> None:
    with scripted(behind('Basic realm="a"', ME)) as server:
        name = f"localhost:{server.port}"
        why = f"{name}: it wants a login: run docker login"
        assert why_unknown(f"{name}/team/app", home=tmp_path) == why
        assert server.shown == {None}
        logged_in(tmp_path, "other.test", name)
        assert ask(f"{name}/team/app", home=tmp_path)
        assert server.shown == {None, ME}


def test_a_wrong_password_is_shown_once_and_never_told(tmp_path: Path) -> None:
    with scripted(behind('Basic realm="a"', "other")) as server:
        logged_in(tmp_path, f"localhost:{server.port}")
        why = why_unknown(f"localhost:{server.port}/team/app", home=tmp_path)
        assert "it wants a login" in why
        assert "secret" not in why
        assert [one.headers.get("authorization") for one in server.asked if one.method == "HEAD"] == [None, ME]


def test_what_needs_no_login_is_asked_without_one(tmp_path: Path) -> None:
    """A repository may be public beside one that is not."""

    def answer(asked: Asked) -> Reply:
        return Reply(401, {"WWW-Authenticate": "Basic realm=a"}) if "/secret/" in asked.path else THERE

    with scripted(answer) as server:
        secret, public = (f"localhost:{server.port}/{name}" for name in ("secret", "public"))
        assert ask(secret, public, home=tmp_path) == f"{public}@{DIGEST}"
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{")
    with scripted(answer) as server:
        assert ask(f"localhost:{server.port}/public", home=tmp_path)


def test_a_token_for_anybody_and_for_somebody(tmp_path: Path) -> None:
    with (
        scripted(tokens(None)) as service,
        scripted(behind(realm("http", "127.0.0.1", service), "Bearer a.token")) as server,
    ):
        name = f"localhost:{server.port}/team/app"
        assert ask(name, home=tmp_path)
        assert service.shown == {None}
        logged_in(tmp_path, f"localhost:{server.port}")
        assert why_unknown(name, home=tmp_path).endswith("its token service answered 403")
        assert service.shown == {None, ME}
        # The password is for the service that gives tokens.
        assert ME not in server.shown


def test_a_token_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    with scripted(behind('Bearer realm="http://localhost:1/token"', "a")) as server:
        why = why_unknown(f"localhost:{server.port}/team/app", home=tmp_path)
        assert why == f"localhost:{server.port}: its token service: Connection refused"


def test_an_identity_token_goes_to_the_token_service(tmp_path: Path) -> None:
    def service_of(asked: Asked) -> Reply:
        form = parse_qs(asked.body.decode())
        assert form["refresh_token"] == ["identity"]
        assert form["grant_type"] == ["refresh_token"]
        assert form["scope"] == ["repository:team/app:pull"]
        return Reply(200, {}, b'{"access_token": "a.token"}')

    with (
        scripted(service_of) as service,
        scripted(behind(realm("http", "localhost", service), "Bearer a.token")) as one,
    ):
        login(tmp_path, **{f"localhost:{one.port}": {"identitytoken": "identity"}})
        assert ask(f"localhost:{one.port}/team/app", home=tmp_path)
        assert [asked.method for asked in service.asked] == ["POST"]
        login(tmp_path, **{f"localhost:{one.port}": {"registrytoken": "a.token"}})
        assert ask(f"localhost:{one.port}/team/app", home=tmp_path)
        assert len(service.asked) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nX: y"}', b'{"token": "\\u00e4"}', b"[" * 100_000]
)
def test_what_is_no_token(body: bytes, tmp_path: Path) -> None:
    with (
        scripted(lambda asked: Reply(200, {}, body)) as service,
        scripted(behind(realm("http", "localhost", service), "Bearer a")) as server,
    ):
        why = why_unknown(f"localhost:{server.port}/team/app", home=tmp_path)
        assert why.endswith("its token service gave no token")


@pytest.mark.usefixtures("trusted")
def test_over_tls_a_password_goes_where_the_registry_says(authority: trustme.CA, tmp_path: Path) -> None:
    with scripted(tokens(ME), authority, "auth.test") as service:
        challenge = realm("https", "auth.test", service)
        with scripted(behind(challenge, "Bearer a.token"), authority, "registry.test") as server:
            logged_in(tmp_path, f"registry.test:{server.port}")
            assert ask(f"registry.test:{server.port}/team/app", home=tmp_path)


HOSTILE = {
    "without TLS": 'Bearer realm="http://evil.test:{port}/token"',
    "without TLS on our own machine": 'Bearer realm="http://localhost:{port}/token"',
    "a file": 'Bearer realm="file:///etc/passwd"',
    "nothing": 'Bearer realm=""',
    "no URL": 'Bearer realm="https://[::1/"',
    "somebody else": 'Bearer realm="https://me:secret@evil.test:{port}/"',
    "two lines": 'Bearer realm="https://evil.test:{port}/a b"',
    "a backslash": 'Bearer realm="https://evil.test\\\\@good.test:{port}/"',
}


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_token_service_is_not_spoken_to(case: str, authority: trustme.CA, tmp_path: Path) -> None:
    with scripted(lambda asked: Reply(200, {}, b'{"token": "a.token"}')) as evil:
        challenge = HOSTILE[case].replace("{port}", str(evil.port))
        with scripted(behind(challenge, "Bearer a.token"), authority, "registry.test") as server:
            logged_in(tmp_path, f"registry.test:{server.port}")
            why = why_unknown(f"registry.test:{server.port}/team/app", home=tmp_path)
            assert why.endswith(("it names no token service", "it names a token service without TLS"))
            assert server.shown == {None}
        assert evil.asked == []


@pytest.mark.usefixtures("trusted")
def test_where_anybody_can_have_named_the_service_it_gets_no_password(authority: trustme.CA, tmp_path: Path) -> None:
    """An insecure registry elsewhere: who stands between can name any service."""
    with (
        scripted(lambda asked: Reply(200, {}, b'{"token": "a.token"}'), authority, "evil.test") as evil,
        scripted(behind(realm("https", "evil.test", evil), "Bearer a.token")) as server,
    ):
        name = f"registry.test:{server.port}"
        logged_in(tmp_path, name)
        assert ask(f"{name}/team/app", home=tmp_path, access=replace(DOCKER, insecure_hosts=(name,)))
        assert evil.shown == {None}


@pytest.mark.usefixtures("trusted")
def test_a_redirect_takes_no_password_along(authority: trustme.CA, tmp_path: Path) -> None:
    def elsewhere(asked: Asked) -> Reply:
        return THERE if asked.path == "/there" else Reply(401, {"WWW-Authenticate": 'Basic realm="a"'})

    with scripted(elsewhere, authority, "storage.test") as storage:

        def answer(asked: Asked) -> Reply:
            if asked.headers.get("authorization") != ME:
                return Reply(401, {"WWW-Authenticate": 'Basic realm="a"'})
            path = "there" if "/app/" in asked.path else "login"
            return Reply(307, {"Location": f"https://storage.test:{storage.port}/{path}"})

        with scripted(answer, authority, "registry.test") as server:
            name = f"registry.test:{server.port}"
            logged_in(tmp_path, name)
            assert ask(f"{name}/app", home=tmp_path)
            why = why_unknown(f"{name}/other", home=tmp_path)
            assert why.endswith("it sends on to where a login is wanted")
            assert storage.shown == {None}


def test_challenges() -> None:
    def read(text: str) -> Challenge | None:
        return challenge_of(Got(401, {"WWW-Authenticate": text}, b""))

    token = Challenge("bearer", "https://a.test/t", "b c")
    assert read('Bearer realm="https://a.test/t",service="b c",scope="x:y:pull,push"') == token
    assert read('bearer  service = "b c" , REALM="https://a.test/t"') == token
    assert read('Basic realm="r", Bearer realm="https://a.test/t", service="b c"') == token
    assert read('Bearer realm="https://a.test/t", service="b c", Basic realm="r"') == token
    assert read("Bearer realm=https://a.test/t") == Challenge("bearer", "https://a.test/t")
    assert read('Basic realm="a \\"b\\""') == Challenge("basic")
    assert read("Negotiate, Basic realm=a") == Challenge("basic")
    for text in ("", "Bearer", "Digest realm=a", "realm=a"):
        assert read(text) is None


def test_a_challenge_without_an_end_is_read_in_no_time() -> None:
    begun = time.process_time()
    for filling in ("a", " ", ",", '"', "\\", 'a="'):
        challenge_of(Got(401, {"WWW-Authenticate": f"Bearer a=b,{filling * 65_000}"}, b""))
    assert time.process_time() - begun < 5


def credentials(home: Path, registry: str, repository: str = "team/app", **more: str) -> Credentials | None:
    access: RegistryAccess = replace(DOCKER, flavour="podman") if more.pop("podman", "") else DOCKER
    environment = {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", **more}
    return CredentialFiles(environment, access.flavour, seconds=1).of(registry, repository)


def test_names_under_which_credentials_stand(tmp_path: Path) -> None:
    mine = Credentials("me", "secret")
    for key, registry in (
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry.test", "registry.test"),
        ("https://registry.test/v2/", "registry.test"),
        ("Registry.test:5000", "registry.test:5000"),
        ("registry.test/team", "registry.test"),
    ):
        logged_in(tmp_path, key)
        assert credentials(tmp_path, registry) == mine, key
        assert credentials(tmp_path, "other.test") is None
        assert credentials(tmp_path, f"{registry}:1") is None
    narrow = {"username": "them", "password": "x"}
    login(tmp_path, **{"registry.test/team/app": narrow, "registry.test": {"auth": "bWU6c2VjcmV0"}})
    assert credentials(tmp_path, "registry.test") == Credentials("them", "x")
    assert credentials(tmp_path, "registry.test", "team/apple") == mine
    login(tmp_path, **{"registry.test": {}})
    assert credentials(tmp_path, "registry.test") is None


def test_podman_has_files_of_its_own(tmp_path: Path) -> None:
    logged_in(tmp_path, "registry.test")
    own = tmp_path / ".config" / "containers"
    own.mkdir(parents=True)
    (own / "auth.json").write_text('{"auths": {"registry.test": {"auth": "cG9kbWFuOng="}}}')
    assert credentials(tmp_path, "registry.test") == Credentials("me", "secret")
    assert credentials(tmp_path, "registry.test", podman="1") == Credentials("podman", "x")
    named = tmp_path / "named.json"
    named.write_text('{"auths": {"registry.test": {"auth": "bmFtZWQ6eA=="}}}')
    assert credentials(tmp_path, "registry.test", podman="1", REGISTRY_AUTH_FILE=str(named)) == Credentials(
        "named", "x"
    )
    (own / "auth.json").unlink()
    assert credentials(tmp_path, "registry.test", podman="1") == Credentials("me", "secret")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], None]:
    """Make the program docker-credential-kept of a shell script, and have docker use it for one registry."""
    (tmp_path / "bin").mkdir()
    (tmp_path / ".docker").mkdir()

    def make(script: str) -> None:
        file = tmp_path / "bin" / "docker-credential-kept"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        helpers = {"credHelpers": {"registry.test": "kept"}}
        (tmp_path / ".docker" / "config.json").write_text(json.dumps(helpers))

    return make


KEPT = """[ "$1" = get ] && read -r server; printf '{"ServerURL": "%s", "Username": "%s", "Secret": "secret"}' """


def test_a_program_that_keeps_credentials(tmp_path: Path, program: Callable[[str], None]) -> None:
    program(f'{KEPT} "$server" "of $server"')
    assert credentials(tmp_path, "registry.test") == Credentials("of registry.test", "secret")
    assert credentials(tmp_path, "other.test") is None
    program(f"{KEPT} x '<token>'")
    assert credentials(tmp_path, "registry.test") == Credentials(identity_token="secret")
    (tmp_path / ".docker" / "config.json").write_text('{"credsStore": "kept"}')
    program_of_all = json.dumps({"credsStore": "kept"})
    program(f'{KEPT} "$server" "of $server"')
    (tmp_path / ".docker" / "config.json").write_text(program_of_all)
    assert credentials(tmp_path, "docker.io") == Credentials("of https://index.docker.io/v1/", "secret")


def test_a_program_that_keeps_none_leaves_it_to_the_file(tmp_path: Path, program: Callable[[str], None]) -> None:
    program('echo "credentials not found in native keychain"; exit 1')
    assert credentials(tmp_path, "registry.test") is None
    kept = {"credsStore": "kept", "auths": {"registry.test": {"auth": "bWU6c2VjcmV0"}}}
    (tmp_path / ".docker" / "config.json").write_text(json.dumps(kept))
    assert credentials(tmp_path, "registry.test") == Credentials("me", "secret")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo secret; exit 3", "docker-credential-kept failed with exit status 3"),
        ("echo secret", "docker-credential-kept answered something else than credentials"),
        ("sleep 60 & sleep 60; echo secret", "docker-credential-kept did not answer within 1 seconds"),
    ],
)
def test_a_program_that_does_not_do_its_work(
    script: str, why: str, tmp_path: Path, program: Callable[[str], None]
) -> None:
    program(script)
    begun = time.monotonic()
    with pytest.raises(NotKnownError, match=f"^{why}$"):
        credentials(tmp_path, "registry.test")
    assert time.monotonic() - begun < 20


def test_a_program_that_fails_is_asked_once(tmp_path: Path, program: Callable[[str], None]) -> None:
    program(f"echo x >> {tmp_path}/calls; exit 1")
    files = CredentialFiles({"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}, "docker")
    for _ in range(3):
        with pytest.raises(NotKnownError, match="failed with exit status 1"):
            files.of("registry.test", "team/app")
    assert (tmp_path / "calls").read_text() == "x\n"


def test_a_program_that_is_not_there_or_cannot_be_one(tmp_path: Path) -> None:
    folder = tmp_path / ".docker"
    folder.mkdir()
    for name, why in (
        ("none-such", "docker-credential-none-such cannot be run: No such file or directory"),
        ("../../bin/sh", "the credentials are with a program whose name cannot be one"),
    ):
        (folder / "config.json").write_text(json.dumps({"credsStore": name}))
        with pytest.raises(NotKnownError, match=f"^{why}$"):
            credentials(tmp_path, "registry.test")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is no such JSON"),
        ('{"auths": {"registry.test": {"auth": "secret!"}}}', "the credentials are no base64 text"),
        ('{"auths": {"registry.test": {"auth": 7}}}', "it is no such JSON"),
        ("[" * 100_000, "it is no such JSON"),
    ],
)
def test_a_file_that_cannot_be_read_tells_nothing_of_what_is_in_it(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(text)
    with pytest.raises(NotKnownError, match=why) as error:
        credentials(tmp_path, "registry.test")
    assert "secret" not in str(error.value)


def test_a_configuration_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    os.mkfifo(tmp_path / ".docker" / "config.json")
    with pytest.raises(NotKnownError, match="is a pipe, not a plain file"):
        credentials(tmp_path, "registry.test")
