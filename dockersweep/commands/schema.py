"""`dockersweep schema`: the JSON Schema of a document."""

import argparse
import json

from dockersweep.commands.write import write_result
from dockersweep.model.documents import json_schema


def run(arguments: argparse.Namespace) -> int:
    """Write the schema; return the exit status."""
    write_result(json.dumps(json_schema(arguments.name), indent=1) + "\n", arguments.output)
    return 0
