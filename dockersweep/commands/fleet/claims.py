"""Who of several hosts has which engine, when two of them may be one: the first that answers gets its turn."""

import os
from hashlib import sha256

from dockersweep.commands.fleet.host_process import SameEngineError
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity


def claim(folder: str, name: str, engine: Engine) -> None:
    """Take an engine for a host, in a folder that all processes of the run share.

    Raises SameEngineError with the name of the host that has it.
    """
    taken = os.path.join(folder, f"engine-{sha256(engine_identity(engine).encode()).hexdigest()}")
    own = f"{taken}.{os.getpid()}"
    with open(own, "w", encoding="utf-8") as file:
        file.write(name)
    try:
        # In one step: whoever finds it can read the name.
        os.link(own, taken)
    except FileExistsError:
        with open(taken, encoding="utf-8") as file:
            holder = file.read()
        raise SameEngineError(holder) from None
    finally:
        os.unlink(own)
