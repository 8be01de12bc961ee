"""Which engine: docker's own order, and what is said where it leads nowhere."""

import hashlib
import json
from pathlib import Path

import pytest

from dockersweep.engine.api.contexts import contexts_with_engine
from dockersweep.engine.api.endpoint import TlsFiles, resolve_endpoint
from dockersweep.errors import UsageError
from dockersweep.model.engine_address import TlsFlags


def write_context(config: Path, name: str, host: str, *, skip_verify: bool = False, tls: bool = False) -> None:
    folder = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / folder
    meta.mkdir(parents=True)
    document = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip_verify}}}
    (meta / "meta.json").write_text(json.dumps(document))
    if tls:
        files = config / "contexts" / "tls" / folder / "docker"
        files.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (files / file).write_text("x")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / ".docker"
    folder.mkdir()
    write_context(folder, "prod", "unix:///run/prod.sock")
    write_context(folder, "far", "tcp://far.example:2376", tls=True)
    (folder / "config.json").write_text(json.dumps({"currentContext": "prod", "auths": {}}))
    return folder


def test_the_order_is_docker_s(config: Path) -> None:
    environment = {"DOCKER_CONFIG": str(config)}
    current = resolve_endpoint(None, None, environment)
    assert current.url == "unix:///run/prod.sock"
    assert current.source == f"context prod ({config / 'config.json'})"
    environment["DOCKER_CONTEXT"] = "far"
    by_variable = resolve_endpoint(None, None, environment)
    assert (by_variable.url, by_variable.source) == ("tcp://far.example:2376", "context far (DOCKER_CONTEXT)")
    environment["DOCKER_HOST"] = "unix:///run/env.sock"
    by_host = resolve_endpoint(None, None, environment)
    assert (by_host.url, by_host.source) == ("unix:///run/env.sock", "DOCKER_HOST")
    by_context = resolve_endpoint(None, "prod", environment)
    assert (by_context.url, by_context.context_flag) == ("unix:///run/prod.sock", "prod")
    assert {by_host.context_flag, by_variable.context_flag, current.context_flag} == {None}
    by_flag = resolve_endpoint("unix:///run/flag.sock", None, environment)
    assert (by_flag.url, by_flag.source, by_flag.context_flag) == ("unix:///run/flag.sock", "--host", None)


def test_without_anything_it_is_the_default_socket(tmp_path: Path) -> None:
    endpoint = resolve_endpoint(None, None, {"HOME": str(tmp_path)})
    assert (endpoint.url, endpoint.source) == ("unix:///var/run/docker.sock", "the default socket")


@pytest.mark.parametrize(
    ("name", "host", "more"),
    [
        # With what Docker Desktop itself keeps there.
        ("desktop-linux", "unix:///Users/ann/.docker/run/docker.sock", {"Metadata": {"otel": {"x": "unix:///o"}}}),
        ("orbstack", "unix:///Users/ann/.orbstack/run/docker.sock", {"Metadata": {"Description": "OrbStack"}}),
        ("colima-work", "unix:///Users/ann/.colima/work/docker.sock", {"TLSMaterial": {}, "Storage": {}}),
        # Rancher Desktop adds its Kubernetes.
        (
            "rancher-desktop",
            "unix:///Users/ann/.rd/docker.sock",
            {"kubernetes": {"Host": "https://127.0.0.1:6443", "SkipTLSVerify": True, "DefaultNamespace": ""}},
        ),
    ],
)
def test_contexts_of_engines_for_laptops(config: Path, name: str, host: str, more: dict[str, object]) -> None:
    """As these products write them: pkg/rancher-desktop/utils/dockerDirManager.ts, `docker context inspect` of the
    others."""
    write_context(config, name, host)
    [meta] = [file for file in config.rglob("meta.json") if json.loads(file.read_text())["Name"] == name]
    document = json.loads(meta.read_text())
    document["Endpoints"].update({"kubernetes": more.pop("kubernetes")} if "kubernetes" in more else {})
    meta.write_text(json.dumps(document | more))
    assert resolve_endpoint(None, name, {"DOCKER_CONFIG": str(config)}).url == host


def test_a_context_of_windows_is_refused_with_the_way_out(config: Path) -> None:
    write_context(config, "desktop-linux", "npipe:////./pipe/dockerDesktopLinuxEngine")
    with pytest.raises(UsageError, match=r"\(from context desktop-linux \(--context\)\) is a named pipe.*WSL2"):
        resolve_endpoint(None, "desktop-linux", {"DOCKER_CONFIG": str(config)})


def test_an_empty_variable_counts_as_not_set(config: Path) -> None:
    environment = {"DOCKER_CONFIG": str(config), "DOCKER_HOST": "", "DOCKER_CONTEXT": ""}
    assert resolve_endpoint(None, None, environment).source.startswith("context prod (")


def test_the_default_context_is_the_environment_or_the_default_socket(config: Path) -> None:
    environment = {"DOCKER_CONFIG": str(config)}
    named = resolve_endpoint(None, "default", environment)
    # Without the flag it would be the current context.
    assert (named.url, named.context_flag) == ("unix:///var/run/docker.sock", "default")
    assert resolve_endpoint(None, "default", environment | {"DOCKER_HOST": "tcp://h:1"}).url == "tcp://h:1"
    assert resolve_endpoint(None, None, environment | {"DOCKER_CONTEXT": "default"}).context_flag is None


def test_tls_comes_from_the_files_of_the_context(config: Path) -> None:
    tls = resolve_endpoint(None, "far", {"DOCKER_CONFIG": str(config)}).tls
    assert tls is not None
    assert tls.verify
    assert tls.ca is not None
    assert tls.cert is not None
    assert tls.ca.name == "ca.pem"


def test_tls_comes_from_docker_s_variables(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    environment = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path), "DOCKER_HOST": "tcp://far"}
    endpoint = resolve_endpoint(None, None, environment)
    assert endpoint.url == "tcp://far:2376"
    assert endpoint.tls is not None
    assert (endpoint.tls.ca, endpoint.tls.cert) == (tmp_path / "ca.pem", None)
    assert resolve_endpoint("unix:///run/x.sock", None, environment).tls is None


def test_tls_comes_from_docker_s_flags(tmp_path: Path) -> None:
    """A file that is named comes before that of the folder, and needs none."""
    for name in ("ca.pem", "cert.pem", "key.pem", "other.pem"):
        (tmp_path / name).write_text("x")
    environment = {"DOCKER_CERT_PATH": str(tmp_path)}
    endpoint = resolve_endpoint("tcp://far", None, environment, TlsFlags(verify=True))
    assert (endpoint.url, endpoint.tls) == (
        "tcp://far:2376",
        TlsFiles(ca=tmp_path / "ca.pem", cert=tmp_path / "cert.pem", key=tmp_path / "key.pem", verify=True),
    )
    assert endpoint.tls_flags == ("--tlsverify",)
    named = TlsFlags(verify=True, ca=str(tmp_path / "other.pem"))
    assert named.written() == ("--tlsverify", "--tlscacert", str(tmp_path / "other.pem"))
    for path in (tmp_path, tmp_path / "none"):
        tls = resolve_endpoint("tcp://far", None, {"DOCKER_CERT_PATH": str(path)}, named).tls
        assert tls is not None
        assert (tls.ca, tls.cert is None) == (tmp_path / "other.pem", path != tmp_path)
    unchecked = environment | {"DOCKER_TLS": "1"}
    tls = resolve_endpoint("tcp://far", None, unchecked, TlsFlags(cert=str(tmp_path / "other.pem"))).tls
    assert tls is not None
    assert (tls.verify, tls.cert) == (False, tmp_path / "other.pem")


@pytest.mark.parametrize(
    ("host", "flags", "message"),
    [
        (
            "unix:///run/x.sock",
            TlsFlags(verify=True),
            "is a unix socket, which has no TLS; name the engine with --host",
        ),
        (None, TlsFlags(verify=True), "is a unix socket"),
        ("tcp://far", TlsFlags(ca="ca.pem"), "encrypt nothing by themselves: give --tlsverify as well"),
        ("tcp://far", TlsFlags(verify=True, ca="/none/ca.pem"), "--tlscacert: /none/ca.pem does not exist"),
        ("tcp://far", TlsFlags(verify=True, ca="/"), "/ is not a file"),
        ("tcp://far", TlsFlags(verify=True, ca="/dev/null"), "/dev/null is not a file"),
    ],
)
def test_flags_of_tls_that_lead_nowhere(tmp_path: Path, host: str | None, flags: TlsFlags, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_endpoint(host, None, {"DOCKER_CONFIG": str(tmp_path)}, flags)
    assert message in str(caught.value)


def test_a_context_has_its_own_certificates(config: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'context "far" \(from --context\) has its own certificates: leave out --tls'):
        resolve_endpoint(None, "far", {"DOCKER_CONFIG": str(config)}, TlsFlags(verify=True))
    (tmp_path / "c.pem").write_text("x")
    flags = TlsFlags(verify=True, cert=str(tmp_path / "c.pem"))
    with pytest.raises(UsageError, match="needs both --tlscert and --tlskey"):
        resolve_endpoint("tcp://far", None, {"DOCKER_CONFIG": str(tmp_path)}, flags)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("unix://", "unix:///var/run/docker.sock"),
        ("tcp://box", "tcp://box:2375"),
        ("tcp://box:99/", "tcp://box:99"),
        ("box:2375", "tcp://box:2375"),
        ("tcp://[::1]:2375", "tcp://[::1]:2375"),
        ("http://box:2375", "tcp://box:2375"),
    ],
)
def test_urls_are_read_as_docker_reads_them(host: str, url: str) -> None:
    assert resolve_endpoint(host, None, {}).url == url


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("ftp://box", '"ftp://box" (from --host) is not an engine: write ssh://[USER@]HOST, tcp://HOST:PORT or'),
        ("tcp://", "is not an engine: write ssh://[USER@]HOST, tcp://HOST:PORT or unix:///PATH"),
        ("tcp://a b:1", "is not an engine"),
        ("tcp://box:1/path", "is not an engine"),
        ("tcp://user@box:1", "is not an engine"),
        ("tcp://%zz:1", "is not an engine"),
        ("tcp://a..b:1", "is not an engine"),
        ("tcp://box:99999", "has no such port: 99999"),
        ("https://box:2376", "write tcp://box:2376, and give --tlsverify to encrypt"),
        ("", "is not an engine"),
        ("npipe:////./pipe/docker_engine", '"npipe:////./pipe/docker_engine" (from --host) is a named pipe of Windows'),
        ("//./pipe/dockerDesktopLinuxEngine", "run it inside WSL2, where Docker Desktop has the engine's socket at"),
        (r"\\.\pipe\docker_engine", "is a named pipe of Windows"),
        ("ssh://", "has no valid host name: write ssh://[USER@]HOST[:PORT][/PATH]"),
        ("ssh://-oProxyCommand=reboot/", "has no valid host name"),
        ("ssh://-lroot@box", '"ssh://***@box" (from --host) has no valid user name'),
        ("ssh://%2dlroot@box", "has no valid user name"),
        ("ssh://ro ot@box", "has no valid user name"),
        ("ssh://`reboot`@box", "has no valid user name"),
        ("ssh://$(reboot)", "has no valid host name"),
        ("ssh://box%20", "has no valid host name"),
        ("ssh://[::1", "is not an address"),
        ("ssh://[box]", "has no valid host name"),
        ("ssh://::1", "with brackets around an IPv6 address"),
        ("ssh://me:secret@box", '"ssh://***@box" (from --host) has a password, which ssh takes from no URL'),
        ("ssh://:@box", "has a password"),
        ("ssh://box:0", "has no valid port: it is a number from 1 to 65535"),
        ("ssh://box:65536", "has no valid port"),
        ("ssh://box:", "has no valid port"),
        ("ssh://box:\u0661", "has no valid port"),
        ("ssh://box?x=1", "has a query or a fragment"),
        ("ssh://box/run#x", "has a query or a fragment"),
        ("ssh://box/run%0a", "has control characters in the path"),
    ],
)
def test_what_is_no_engine_is_said(host: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_endpoint(host, None, {})
    assert message in str(caught.value)


def test_host_and_context_contradict_each_other() -> None:
    with pytest.raises(UsageError, match=r"--host and --context name an engine each"):
        resolve_endpoint("unix:///x", "prod", {})


def test_a_context_that_is_not_there_says_where_it_was_asked_for(config: Path) -> None:
    with pytest.raises(UsageError, match=r'no context "nope" \(from DOCKER_CONTEXT\) under .*`docker context ls`'):
        resolve_endpoint(None, None, {"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "nope"})


@pytest.mark.parametrize("text", ["{", '{"currentContext": 3}'])
def test_a_damaged_configuration_is_not_guessed_past(config: Path, text: str) -> None:
    (config / "config.json").write_text(text)
    with pytest.raises(UsageError, match=r"config\.json cannot be read"):
        resolve_endpoint(None, None, {"DOCKER_CONFIG": str(config)})


def test_certificates_that_are_not_there_are_said(tmp_path: Path) -> None:
    environment = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path / "no"), "DOCKER_HOST": "tcp://far"}
    with pytest.raises(UsageError, match="certificates are not there"):
        resolve_endpoint(None, None, environment)
    (tmp_path / "cert.pem").write_text("x")
    with pytest.raises(UsageError, match=r"only one of cert.pem and key.pem"):
        resolve_endpoint(None, None, environment | {"DOCKER_CERT_PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("host", "url", "words"),
    [
        ("ssh://box", "ssh://box", ["--", "box"]),
        ("ssh://box/", "ssh://box", ["--", "box"]),
        (" ssh://me@box:2222 ", "ssh://me@box:2222", ["-l", "me", "-p", "2222", "--", "box"]),
        ("ssh://[::1]:22/run/x.sock", "ssh://[::1]:22/run/x.sock", ["-p", "22", "--", "::1"]),
        ("ssh://me%40corp@box", "ssh://me%40corp@box", ["-l", "me@corp", "--", "box"]),
        ("ssh://box/run/a%20b", "ssh://box/run/a%20b", ["--", "box"]),
    ],
)
def test_an_address_of_ssh(host: str, url: str, words: list[str]) -> None:
    endpoint = resolve_endpoint(host, None, {"DOCKER_TLS_VERIFY": "1"})
    assert (endpoint.url, endpoint.socket, endpoint.tls) == (url, None, None)
    assert endpoint.ssh is not None
    assert endpoint.ssh.words == words


def test_tls_is_not_for_ssh() -> None:
    with pytest.raises(UsageError, match=r"ssh://box \(from --host\) is reached over ssh, which has no TLS"):
        resolve_endpoint("ssh://box", None, {}, TlsFlags(verify=True))


@pytest.mark.parametrize(
    ("host", "context", "tls", "message"),
    [
        ("https://box:1", None, None, '"https://box:1": write tcp://box:1, and give tlsverify to encrypt'),
        ("tcp://box", None, TlsFlags(ca="/none"), "tlscacert, tlscert and tlskey encrypt nothing by themselves: give"),
        ("tcp://box", None, TlsFlags(verify=True, ca="/none"), "tlscacert: /none does not exist"),
        ("/a", None, TlsFlags(verify=True), "tlsverify: unix:///a is a unix socket"),
        (None, "nope", None, 'there is no context "nope" under'),
        (None, "far", TlsFlags(verify=True), 'context "far" has its own certificates: leave out tlsv'),
    ],
)
def test_what_stands_in_a_file_is_called_by_its_keys(
    config: Path, host: str | None, context: str | None, tls: TlsFlags | None, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_endpoint(host, context, {"DOCKER_CONFIG": str(config)}, tls, are_keys=True)
    assert str(caught.value).startswith(message)
    assert "--" not in str(caught.value)


def test_all_contexts_with_an_engine_in_natural_order(config: Path) -> None:
    write_context(config, "box10", "tcp://a:1")
    write_context(config, "box9", "tcp://a:1")
    write_context(config, "cluster", "")
    assert contexts_with_engine(config) == ["box9", "box10", "far", "prod"]
    for other in (config / "none", config / "config.json"):
        assert contexts_with_engine(other) == []


def test_a_damaged_context_is_not_left_out(config: Path) -> None:
    write_context(config, "box", "tcp://a:1")
    meta = config / "contexts" / "meta" / hashlib.sha256(b"box").hexdigest() / "meta.json"
    meta.write_text("{")
    with pytest.raises(UsageError, match=r"the context in .*meta\.json cannot be read: Input data was truncated"):
        contexts_with_engine(config)
