"""Policy files that several tests read, and how they write their own."""

import json
import re
from collections.abc import Iterator

from dockersweep.policy.language.toml_positions import Path

VERSION = "version = 1\n"
RULE = VERSION + '[[rule]]\nname = "a"\n'
IMAGE = RULE + 'kind = "image"\n'
NOTHING = VERSION + "removes_nothing = true\n"
TARGET = VERSION + "[target]\n"

ISSUE = """\
version = 1

[protect]                               # wins over every rule
labels   = ["keep", "env=prod"]         # on any kind
names    = ["prod-*", "/^db-[0-9]+$/"]  # globs, or /regular expressions/
images   = ["registry.example.com/base/*", "*:stable"]
projects = ["billing"]                  # compose projects, with all that is theirs
younger_than = "1h"                     # nothing younger goes, whatever a rule says

[limits]                                # checked before anything is removed; over one: exit 4, nothing done
objects = 500
bytes   = "200GB"
share   = "60%"                         # of all objects of a kind

[[rule]]
name = "old releases"
kind = "image"
match.repository = "registry.example.com/app"
keep.last   = 5                         # newest five of each repository
keep.within = "30d"
keep.tags   = ["v*.0.0"]
remove.unused_for = "14d"

[[rule]]
name = "scratch volumes"
kind = "volume"
match.labels = ["scratch=true"]
remove.older_than = "3d"

[target]                                # only when space is short
start_above = "85%"                     # of the engine's disk; or "120GB" for all that the engine holds
stop_below  = "70%"
order = ["build-cache", "image"]        # least recently used first
spare_registry_less = true              # images that cannot be pulled again go last, or never
"""

# Every way to write a key, in a file that is TOML and no policy.
PLACES = """\
# Änderungen: 日本
version = 1
[protect]
\t"labels" = ["ä=日", "b"] # x
[[ rule ]]
name = '日本'
kind = "image"
match . repository = "x"
"k\\u0065ep" = { last = 5, "tags" = ["a",
    # not me
    "b"] }
[rule.remove]
\tolder_than = "1d"
[[rule]]
'name' = "second"
  [rule."not"]
  labels = "a"
[target]
free = "1GB"
[[deep.er]]
[[deep.er.list]]
[[deep.er.list]]
x = [{ y = 1 }, { y.z = 2 }]
"""


def rule_text(name: str, kind: str, *keys: str) -> str:
    """Return the text of a rule, each of whose keys is given with its value: 'keep.last = 1'."""
    return "\n".join(("[[rule]]", f"name = {json.dumps(name)}", f"kind = {json.dumps(kind)}", *keys, ""))


def uncommented(text: str) -> str:
    """Return the text that `policy init` writes with its examples in force."""
    return re.sub(r"^#(?=[^ :#\n])", "", text, flags=re.MULTILINE)


def paths(table: dict[str, object], path: Path = ()) -> Iterator[Path]:
    """Yield the path of every key and every value of a list."""
    for key, value in table.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from paths(value, (*path, key))
        if isinstance(value, list):
            for index, one in enumerate(value):
                yield (*path, key, index)
                if isinstance(one, dict):
                    yield from paths(one, (*path, key, index))
