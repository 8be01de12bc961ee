"""The process that speaks to services: the only file that imports apprise.

What apprise says may hold parts of the addresses, and so secrets. So its output goes nowhere, and of its log only what
is known to be harmless is told: a status, or the sort of an error.
"""

import json
import logging
import os
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import apprise

MOST_AT_ONCE = 16
LONGEST_TEXT = 8000
_STATUS = re.compile(r"\berror[ =:]+([1-5][0-9][0-9])\b")
_REASONS = (
    ("certificate", "its certificate does not hold"),
    ("ssl", "it does not speak TLS as it should"),
    ("timed out", "it did not answer in time"),
    ("timeout", "it did not answer in time"),
    ("refused", "the connection was refused"),
    ("name or service not known", "there is no such host"),
    ("name resolution", "the name of its host cannot be looked up"),
    ("nodename nor servname", "there is no such host"),
    ("failed to resolve", "the name of its host cannot be looked up"),
    ("unreachable", "its network cannot be reached"),
    ("connection aborted", "it closed the connection without an answer"),
    ("connection unexpectedly closed", "it closed the connection without an answer"),
    ("starttls", "it does not speak TLS"),
    ("authentication", "it does not accept the user or the password"),
)
"""What a message of apprise's log contains -> what is told, the first that fits."""


def main(task: Mapping[str, Any]) -> None:
    """Send the message of a task, or without one only see whether apprise knows the addresses. Write an answer for each
    address, a line each, as soon as it is there."""
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    log = _Log()
    urls = task["urls"]
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(urls))) as threads:
        for future in [
            threads.submit(partial(_answer, place, url, task, log, answers)) for place, url in enumerate(urls)
        ]:
            future.result()


def _answer(place: int, url: str, task: Mapping[str, Any], log: "_Log", answers: int) -> None:
    try:
        problem = _told(url, task, log)
    except Exception as error:
        problem = f"apprise failed with an error of its own ({type(error).__name__})"
    os.write(answers, f"{json.dumps({'place': place, 'problem': problem})}\n".encode())


def _told(url: str, task: Mapping[str, Any], log: "_Log") -> str | None:
    service = apprise.Apprise.instantiate(url, asset=_asset())
    if service is None:
        return "apprise does not know such an address, or it lacks a part"
    if "title" not in task:
        return None
    # So that it is this service that is told to be late, before the process has to be ended.
    _settle(service, url, task["seconds"] * 0.8)
    log.begin()
    if service.notify(
        title=task["title"],
        body=task["text"][:LONGEST_TEXT],
        notify_type=apprise.NotifyType(task["kind"]),
        body_format=apprise.NotifyFormat.TEXT,
    ):
        return None
    return log.reason()


def _settle(service: Any, url: str, seconds: float) -> None:
    """Give a service our time-out, and cut what is too long for it, unless its address says otherwise."""
    if "rto=" not in url:
        service.socket_read_timeout = seconds
    if "cto=" not in url:
        service.socket_connect_timeout = seconds
    if "overflow=" not in url:
        service.overflow_mode = apprise.OverflowMode.TRUNCATE


def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(
        app_id="dockersweep",
        app_desc="dockersweep",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        secure_logging=True,
    )


class _Log(logging.Handler):
    """Keeps what apprise logs, of each thread the messages since its last `begin`."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._of_thread = threading.local()
        for name in ("apprise", "urllib3", "requests"):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate, logger.disabled = [self], False, False
            logger.setLevel(logging.DEBUG)
        logging.disable(logging.NOTSET)

    def begin(self) -> None:
        """Forget what this thread has logged."""
        self._of_thread.messages = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message about a failure; others have the text that is sent, which may speak of any failure itself."""
        message = record.getMessage()
        if record.levelno >= logging.WARNING or "exception" in message.partition(":")[0].lower():
            self._of_thread.__dict__.setdefault("messages", []).append(message)

    def reason(self) -> str:
        """Return why sending failed, in words of ours."""
        text = "\n".join(self._of_thread.__dict__.get("messages", []))
        status = _STATUS.search(text)
        if status is not None:
            return f"the service answered with the status {status[1]}"
        lower = text.lower()
        return next((reason for words, reason in _REASONS if words in lower), "the message could not be delivered")
