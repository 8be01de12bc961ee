"""Renders a page from its template; its Content-Security-Policy allows only our style and our script."""

from base64 import b64encode
from hashlib import sha256
from pkgutil import get_data
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dockersweep.report.local_time import in_local_time, local_time
from dockersweep.report.text import capital, printable
from dockersweep.units import format_size
from dockersweep.words.amounts import plural


def environment_of(package: str) -> Environment:
    """Return an environment for the templates of a package: every text in them is made printable and escaped."""
    environment = Environment(
        loader=PackageLoader(package, "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_finalize,
        # A template is rendered once: optimizing it takes longer than it saves.
        optimized=False,
    )  # fmt: skip
    environment.filters |= {"size": format_size, "instant": local_time, "capital": capital, "plural": plural}
    return environment


def style_and_script() -> dict[str, Any]:
    """Return both, and the hashes by which a template allows them."""
    style, script = _part("page.css"), _part("page.js")
    return {
        "style": Markup(style), "script": Markup(script), "style_hash": _hash(style), "script_hash": _hash(script),
    }  # fmt: skip


def _finalize(value: object) -> object:
    """Make texts printable and their times local, before Jinja escapes them."""
    return printable(in_local_time(value)) if type(value) is str else value


def _part(name: str) -> str:
    # importlib.resources would import zipfile, which takes longer than all of the page's own modules.
    text = get_data("dockersweep.report.page", name)
    assert text is not None, "the loader of the package tells of no files"
    return text.decode()


def _hash(text: str) -> str:
    """Return the hash by which a Content-Security-Policy allows an inline style or script."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
