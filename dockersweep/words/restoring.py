"""The command that takes a removal back."""

import shlex

from dockersweep.model.history import PastRemoval
from dockersweep.model.inventory import ObjectRef
from dockersweep.model.naming import typed_name


def restore_command(removal: PastRemoval) -> str:
    """Return the command for one removal: "dockersweep restore pg-old --run 12"."""
    name = typed_name(ObjectRef(kind=removal.kind, id=removal.id), removal.name)
    return f"dockersweep restore {shlex.quote(name)} --run {removal.run}"
