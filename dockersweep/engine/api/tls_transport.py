"""TLS with an endpoint's files, through docker-py and its dependencies; only this module imports them.

They take longer to import than a small engine takes to answer, so this is imported only for TLS.
"""

import ssl
from functools import partial

import docker.errors
import docker.tls
import requests
import requests.adapters
import urllib3
import urllib3.connection
import urllib3.exceptions

from dockersweep.engine.api.endpoint import Endpoint, TlsFiles
from dockersweep.engine.api.transport import Transport
from dockersweep.errors import EngineError

_CLOSING_ERRORS = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


def tls_transport(endpoint: Endpoint, files: TlsFiles) -> Transport:
    """Connect to an endpoint over TLS with these files; raises EngineError where they cannot be used.

    The user's docker configuration (proxies, credentials) is not used.
    """
    connect = partial(_connect, _pool_of(endpoint, _tls_config(files, endpoint)))
    return Transport(connect, closing_errors=_CLOSING_ERRORS, tls_errors=(ssl.SSLError,))


def _connect(pool: urllib3.HTTPConnectionPool, seconds: float) -> ssl.SSLSocket:
    connection = pool._new_conn()
    assert isinstance(connection, urllib3.connection.HTTPSConnection)
    connection.timeout = seconds
    try:
        connection.connect()
    except BaseException as error:
        connection.close()
        if isinstance(error, urllib3.exceptions.HTTPError):
            raise _os_error(error) from error
        raise
    assert isinstance(connection.sock, ssl.SSLSocket)
    return connection.sock


def _pool_of(endpoint: Endpoint, tls: docker.tls.TLSConfig) -> urllib3.HTTPConnectionPool:
    """Return the pool that requests would use for an endpoint; it only serves to open connections."""
    verify = (tls.ca_cert or True) if tls.verify else False
    try:
        request = requests.Request("GET", f"{endpoint.url.replace('tcp:', 'https:')}/").prepare()
        adapter = requests.adapters.HTTPAdapter()
        pool = adapter.get_connection_with_tls_context(request, verify=verify, cert=tls.cert)
    except (requests.RequestException, OSError) as error:
        raise EngineError(f"cannot use the engine at {endpoint.url} (from {endpoint.source}): {error}") from error
    assert isinstance(pool, urllib3.HTTPConnectionPool)
    return pool


def _tls_config(files: TlsFiles, endpoint: Endpoint) -> docker.tls.TLSConfig:
    pair = None if files.cert is None or files.key is None else (str(files.cert), str(files.key))
    ca = str(files.ca) if files.ca and files.verify else None
    try:
        return docker.tls.TLSConfig(client_cert=pair, ca_cert=ca, verify=files.verify)
    except docker.errors.TLSParameterError as error:
        raise EngineError(f"the TLS files for {endpoint.url} cannot be used: {error}") from error


def _os_error(error: urllib3.exceptions.HTTPError) -> OSError:
    """Return the operating system's error that urllib3 wraps, else an OSError with urllib3's message."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        inner = [argument for argument in cause.args if isinstance(argument, BaseException)]
        cause = cause.__cause__ or cause.__context__ or (inner[0] if inner else None)
    return cause or OSError(str(error))
