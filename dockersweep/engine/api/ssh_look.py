"""What one look at a host over ssh finds out: the client of an engine there, the socket that it would use, and which
machine it is."""

import re
import shlex
from typing import Literal

from msgspec import Struct

Client = Literal["docker", "podman", "none"]

PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
"""To be sent after the command. The key may be bound to another one (authorized_keys(5)) that leads to the engine,
which then answers this; the command repeats it."""
# One line for any login shell: without "!", which csh takes for its history, and without "\" and "'". A socket is named
# only where it is certain to be the one that the client itself would use.
_SCRIPT = " ".join(
    (
        "for c in docker podman none; do command -v $c >/dev/null 2>&1 && break; done;",
        'p=$1; case "$c:$p" in',
        # A script of that name, or a snap, may have settings of its own. Of docker's, DOCKER_HOST goes before contexts,
        # and TLS moves the default to a port (docker/cli, cli/command/cli.go and opts/hosts.go).
        'docker:) x=$(readlink -f "$(command -v docker)"); case "$x:$(head -c 4 "$x"):$DOCKER_HOST" in',
        "*/docker:?ELF:unix:///*) p=${DOCKER_HOST#unix://};;",
        "*/docker:?ELF:)",
        'case "$DOCKER_CONTEXT:$(cat "${DOCKER_CONFIG:-$HOME/.docker}/config.json")" in',
        ":*currentContext*) ;; :*) p=/var/run/docker.sock;; esac;; esac;;",
        # Each of these can name another service (podman-system-connection(1), containers.conf(5)).
        "podman:) v=$CONTAINER_HOST$CONTAINER_CONNECTION$CONTAINERS_CONF$CONTAINERS_CONF_OVERRIDE;",
        'case "$(id -u):$v$PODMAN_CONNECTIONS_CONF$XDG_CONFIG_HOME:$(',
        'grep -rsE "^[^#]*(active_service|service_destinations)|.URI.:"',
        "/etc/containers /usr/share/containers ~/.config/containers",
        ')" in 0::) p=/run/podman/podman.sock;; esac;;',
        "none:) p=/var/run/docker.sock;;",
        "esac 2>/dev/null;",
        '[ $c = none ] || { [ -S "$p" ] && [ -w "$p" ] && [ -z "$DOCKER_TLS$DOCKER_TLS_VERIFY" ]; } || p=;',
        'echo "dockersweep:$c:$(cat /etc/machine-id 2>/dev/null):$p"; exec cat',
    )
)
_ANSWER = re.compile(rb"dockersweep:(docker|podman|none):([^:]*):(.*)")
# ssh would read other characters in the address of a forwarding as something else.
_PLAIN_PATH = re.compile(r"/[\w./@+,=-]+", re.ASCII)
_MACHINE_ID = re.compile(rb"[0-9a-f]{32}")


class Look(Struct, frozen=True):
    """What was found out."""

    client: Client
    socket: str | None = None
    """The path of the socket that the client would use there; None if that is not certain, or if this user cannot use
    it. Without a client it is the one of the address, else the default one."""
    machine: bytes | None = None
    """The machine's own id, which is not for others to know (machine-id(5)); None if it does not tell."""

    @property
    def machine_id(self) -> str | None:
        """An id that tells one machine from another; None if it is not known."""
        if self.machine is None:
            return None
        # Imported late: it loads OpenSSL, which takes 10 ms.
        import hmac

        return hmac.new(self.machine, b"dockersweep", "sha256").hexdigest()[:32]


def look_command(path: str | None) -> str:
    """Return the command for the login shell there that looks, answers with one line, and repeats its input from then
    on; `path` is the engine's socket, if the address names one."""
    return f"sh -c '{_SCRIPT}' sh {shlex.quote(path or '')}"


def read_look(line: bytes) -> Look | None:
    """Return what the first line of the answer says; None if it is not from the command."""
    if line.startswith(b"HTTP/1."):
        # The command that the key is bound to. It is the client's, as is all that can be known.
        return Look("docker")
    answer = _ANSWER.fullmatch(line)
    if answer is None:
        return None
    client: Client = "docker" if answer[1] == b"docker" else "podman" if answer[1] == b"podman" else "none"
    path = answer[3].decode("utf-8", "replace")
    is_plain = client == "none" or _PLAIN_PATH.fullmatch(path)
    return Look(client, path if is_plain else None, answer[2] if _MACHINE_ID.fullmatch(answer[2]) else None)
