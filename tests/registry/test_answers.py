"""What a registry's answer means, and that whatever is odd about it means nothing at all."""

import threading
import time
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from dockersweep.model.registry import RegistryAccess
from dockersweep.registry import transport
from dockersweep.registry.asking import AT_ONCE
from tests.registry.asked import DOCKER, answers_to, ask, question, why_unknown
from tests.registry.conftest import DIGEST, OF_A_REGISTRY
from tests.rig.scripted_http import Asked, Reply, scripted

UNKNOWN = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": {"a": 1}}]}'
NOT_THERE = Reply(404, {"Content-Type": "application/json"}, UNKNOWN)
THERE = Reply(200, OF_A_REGISTRY)
MANIFEST = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}

MEANINGS: dict[str, tuple[Reply | bytes, Reply | bytes, bool | str]] = {
    "there": (THERE, THERE, True),
    "there, by an old registry": (Reply(200, MANIFEST), THERE, True),
    "deleted": (NOT_THERE, NOT_THERE, False),
    "no such repository": (NOT_THERE, Reply(404, {}, UNKNOWN.replace(b"MANIFEST", b"NAME")), False),
    "came while it was asked": (NOT_THERE, THERE, True),
    "a page of a portal": (Reply(200, {"Content-Type": "text/html"}), THERE, "what answered is no registry"),
    "another digest": (
        Reply(200, {"Docker-Content-Digest": DIGEST.replace("1", "2"), **MANIFEST}),
        THERE,
        "what answered is no registry",
    ),
    "a page that is not found": (Reply(404), Reply(404, {}, b"<html>404</html>"), "what answered 404 is no registry"),
    "no error": (Reply(404), Reply(404, {}, b'{"errors": []}'), "what answered 404 is no registry"),
    "an error of another kind": (
        Reply(404), Reply(404, {}, b'{"errors": [{"code": "DENIED"}]}'), "what answered 404 is no registry"
    ),
    "errors that are none": (Reply(404), Reply(404, {}, b'{"errors": [7]}'), "what answered 404 is no registry"),
    "deep": (Reply(404), Reply(404, {}, b"[" * 100_000), "what answered 404 is no registry"),
    "large": (Reply(404), Reply(404, {}, b" " * 5_000_000), "the answer is too large"),
    "denied": (Reply(403), THERE, "access is denied"),
    "not let in, without a way": (Reply(401), THERE, "it wants a login: run docker login"),
    "an odd way": (
        Reply(401, {"WWW-Authenticate": "Negotiate"}), THERE, "it wants a login: run docker login"
    ),
    "too often": (Reply(429), THERE, "it wants fewer requests (429)"),
    "an error": (Reply(503), THERE, "it answered 503"),
    "an error, then": (NOT_THERE, Reply(502), "it answered 502"),
    "gone": (Reply(410), THERE, "it answered 410"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", THERE, "no answer that is HTTP"),
    "nothing": (b"", THERE, "no answer that is HTTP"),
    "half an answer": (NOT_THERE, b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n{", "no answer that is HTTP"),
    "headers without an end": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000, THERE, "no answer that is HTTP"),
    "nowhere": (Reply(307), THERE, "it sends on to where nothing is asked"),
    "to a file": (Reply(307, {"Location": "file:///etc/passwd"}), THERE, "it sends on to where nothing is asked"),
    "to a bad port": (Reply(307, {"Location": "https://a:b/"}), THERE, "it sends on to where nothing is asked"),
    "in a circle": (Reply(301, {"Location": "?"}), THERE, "it sends on and on"),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANINGS)
def test_meaning(case: str, tmp_path: Path) -> None:
    head, get, expected = MEANINGS[case]

    def answer(asked: Asked) -> Reply | bytes:
        if asked.path == "/v2/":
            return Reply(200)
        assert asked.path.partition("?")[0] == f"/v2/team/app/manifests/{DIGEST}"
        return head if asked.method == "HEAD" else get

    with scripted(answer) as server:
        name = f"localhost:{server.port}/team/app"
        if isinstance(expected, str):
            assert why_unknown(name, home=tmp_path) == f"localhost:{server.port}: {expected}"
        else:
            assert ask(name, home=tmp_path) == (f"{name}@{DIGEST}" if expected else False)


def test_who_does_not_listen_and_who_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_SECONDS", 0.2)
    assert why_unknown("localhost:1/team/app", home=tmp_path) == "localhost:1: Connection refused"
    stop = threading.Event()

    def wait(asked: Asked) -> bytes:
        stop.wait(20)
        return b""

    with scripted(wait) as server:
        why = why_unknown(f"localhost:{server.port}/team/app", home=tmp_path)
        stop.set()
    assert why == f"localhost:{server.port}: no answer in time"


def test_all_together_end_in_time(tmp_path: Path) -> None:
    """One that sends a byte now and then never is too slow by itself."""
    stop = threading.Event()

    def drip(asked: Asked) -> Reply | bytes:
        stop.wait(20)
        return b""

    with scripted(drip) as slow, scripted(lambda asked: THERE) as quick:
        questions = [question(f"localhost:{slow.port}/team/app", image=f"slow{number}") for number in range(50)]
        questions += [question(f"localhost:{quick.port}/team/app", image=f"quick{number}") for number in range(50)]
        begun = time.monotonic()
        answers = answers_to(questions, home=tmp_path, seconds=3)
        assert time.monotonic() - begun < 15
        stop.set()
    assert {name.partition(":")[2][:5] for name in answers.known} == {"quick"}
    assert len(answers.known) == 50
    assert len(answers.unknown) == 50
    assert all("no answer" in why or "no time left" in why for why in answers.unknown.values())


def test_one_that_is_in_trouble_is_left_alone(tmp_path: Path) -> None:
    for reply in (Reply(429), Reply(500), b""):
        with scripted(lambda asked, reply=reply: reply) as server:  # type: ignore[misc]
            names = [f"localhost:{server.port}/team/{number}" for number in range(100)]
            answers = answers_to([question(name, image=name) for name in names], home=tmp_path)
            assert len(answers.unknown) == 100
            assert len(server.asked) < 20


def test_a_connection_that_is_closed_just_as_it_is_used_is_opened_again(tmp_path: Path) -> None:
    seen: set[str] = set()

    def answer(asked: Asked) -> Reply | bytes:
        is_first = asked.path not in seen
        seen.add(asked.path)
        return b"" if is_first else THERE

    with scripted(answer) as server:
        names = [f"localhost:{server.port}/team/{number}" for number in range(20)]
        answers = answers_to([question(name, image=name) for name in names], home=tmp_path)
    assert (len(answers.known), answers.unknown) == (20, {})


def test_a_registry_gets_few_requests_at_once(tmp_path: Path) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def answer(asked: Asked) -> Reply:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return THERE

    with scripted(answer) as server:
        names = [f"localhost:{server.port}/team/{number}" for number in range(40)]
        answers = answers_to([question(name, image=name) for name in names], home=tmp_path)
        assert len(answers.known) == 40
    assert 1 < most <= AT_ONCE


def test_any_of_several_names_is_enough_and_no_is_only_said_of_all(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        return THERE if "/there/" in asked.path else Reply(503) if "/odd/" in asked.path else NOT_THERE

    with scripted(answer) as server:
        there, odd, gone = (f"localhost:{server.port}/{name}" for name in ("there", "odd", "gone"))
        assert ask(gone, odd, there, home=tmp_path) == f"{there}@{DIGEST}"
        assert ask(gone, odd, home=tmp_path) is None
        assert ask(gone, home=tmp_path) is False


def test_an_index_needs_the_manifest_that_lies_here(tmp_path: Path) -> None:
    manifest = DIGEST.replace("1", "2")
    there = {DIGEST}

    def answer(asked: Asked) -> Reply:
        digest = asked.path.rpartition("/")[2]
        return Reply(200, {"Docker-Content-Digest": digest}) if digest in there else NOT_THERE

    with scripted(answer) as server:
        name = f"localhost:{server.port}/team/app"
        assert ask(name, home=tmp_path)
        assert ask(name, home=tmp_path, manifest=DIGEST)
        assert ask(name, home=tmp_path, manifest=manifest) is False
        there.add(manifest)
        assert ask(name, home=tmp_path, manifest=manifest)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b'{"config": {"digest": "sha256:a"}}', 200, True),
        (b'{"config": {"digest": "sha256:b"}}', 200, False),
        (b'{"manifests": []}', 200, False),
        (UNKNOWN, 404, False),
        (b"<html>", 404, None),
        (b"<html>", 200, None),
        (b"", 503, None),
    ],
)
def test_a_tag_counts_where_it_names_the_same_configuration(
    body: bytes, status: int, expected: bool | None, tmp_path: Path
) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(status, {}, body) if asked.path.endswith("/v1") else NOT_THERE

    with scripted(answer) as server:
        name = f"localhost:{server.port}/team/app"
        found = ask(name, home=tmp_path, tags=(f"{name}:v1",))
        assert found == (f"{name}:v1" if expected else expected)


def test_names_that_none_can_have_are_sent_nowhere(tmp_path: Path) -> None:
    with scripted(lambda asked: THERE) as server:
        for name in ("../../secret", "a//b", "UPPER", "a?b", "a#b", "a b", "a\r\nX: y"):
            assert ask(f"localhost:{server.port}/{name}", home=tmp_path) is None
        assert server.asked == []
    assert ask("user:password@evil.test/a", home=tmp_path) is None


def test_a_certificate_is_checked(authority: trustme.CA, tmp_path: Path) -> None:
    with scripted(lambda asked: THERE, authority, "registry.test") as server:
        name = f"registry.test:{server.port}"
        why = f"{name}: its certificate is not trusted: unable to get local issuer certificate"
        assert why_unknown(f"{name}/app", home=tmp_path) == why
        # As an engine does that has it among its insecure registries, by name or by network.
        for access in (
            replace(DOCKER, insecure_hosts=(name,)),
            replace(DOCKER, insecure_networks=("127.0.0.0/8", "127.0.0.1/31", "10.0.0.0/8")),
        ):
            found = ask(f"{name}/app", home=tmp_path, access=access)
            assert (found is None) == (not access.insecure_hosts)
        folder = tmp_path / "certs.d" / name
        folder.mkdir(parents=True)
        authority.cert_pem.write_to_path(folder / "ca.crt")
        assert ask(f"{name}/app", home=tmp_path)
        (folder / "ca.crt").write_text("no certificate")
        assert "cannot be used" in why_unknown(f"{name}/app", home=tmp_path)


@pytest.mark.usefixtures("trusted")
def test_a_certificate_that_the_machine_trusts_is_for_its_name_only(authority: trustme.CA, tmp_path: Path) -> None:
    with scripted(lambda asked: THERE, authority, "registry.test") as server:
        assert ask(f"registry.test:{server.port}/app", home=tmp_path)
        assert "not trusted" in why_unknown(f"other.test:{server.port}/app", home=tmp_path)


def test_without_tls_only_what_the_engine_speaks_to_so(tmp_path: Path) -> None:
    with scripted(lambda asked: THERE) as server:
        name = f"registry.test:{server.port}"
        assert "TLS failed" in why_unknown(f"{name}/app", home=tmp_path)
        assert server.asked == []
        assert ask(f"{name}/app", home=tmp_path, access=replace(DOCKER, insecure_hosts=(name,)))


def test_a_network_of_insecure_registries_holds_for_names_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dockersweep.registry import registries

    monkeypatch.setattr(registries, "is_loopback", lambda host: host.startswith("localhost"))
    with scripted(lambda asked: THERE) as server:
        name = f"registry.test:{server.port}/app"
        assert ask(name, home=tmp_path, access=replace(DOCKER, insecure_networks=("10.0.0.0/8", "nonsense"))) is None
        assert ask(name, home=tmp_path, access=replace(DOCKER, insecure_networks=("127.0.0.0/24",)))


def test_a_loopback_interface_that_is_not_ours_is_not_asked(tmp_path: Path) -> None:
    afar = replace(DOCKER, has_our_loopback=False)
    with scripted(lambda asked: THERE) as server:
        for host in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]"):
            why = why_unknown(f"{host}:{server.port}/app", home=tmp_path, access=afar)
            assert why.endswith("it is on the engine's own machine, which is not this one")
        assert server.asked == []


@pytest.mark.usefixtures("trusted")
def test_mirrors_of_the_hub_come_first_and_prove_no_absence(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrored = {"library/debian"}

    def mirror(asked: Asked) -> Reply:
        return THERE if any(name in asked.path for name in mirrored) else NOT_THERE

    def hub(asked: Asked) -> Reply:
        return THERE if "team/app" in asked.path else NOT_THERE

    with scripted(mirror, authority, "mirror.test") as near, scripted(hub, authority, "hub.test") as far:
        monkeypatch.setattr("dockersweep.registry.names._HUB_HOST", f"hub.test:{far.port}")
        access = RegistryAccess(
            flavour="docker", hub_mirrors=(f"https://mirror.test:{near.port}/", "http://localhost:1")
        )
        assert ask("debian", home=tmp_path, access=access) == f"debian@{DIGEST}"
        assert far.asked == []
        assert ask("team/app", home=tmp_path, access=access)
        assert ask("docker.io/team/none", home=tmp_path, access=access) is False
        # Of another registry than the hub no mirror knows anything.
        seen = len(near.asked)
        assert ask("localhost:1/library/debian", home=tmp_path, access=access) is None
        assert len(near.asked) == seen


def test_the_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(lambda asked: Reply(407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:se%63ret@localhost:{proxy.port}")
        why = why_unknown("registry.test/app", home=tmp_path)
        assert "secret" not in why
        assert proxy.paths == ["CONNECT registry.test:443"]
        assert {one.headers.get("proxy-authorization") for one in proxy.asked} == {"Basic bWU6c2VjcmV0"}
        for name in ("localhost:1/app", "other.test:1/app"):
            monkeypatch.setenv("NO_PROXY", "other.test")
            assert "Connection refused" in why_unknown(name, home=tmp_path)
        assert len(proxy.asked) == 1
