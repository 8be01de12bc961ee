"""`dockersweep schema`: the JSON Schema of a document, or of a policy file."""

import argparse
import json

from dockersweep.commands.write import write_result
from dockersweep.model.documents import json_schema
from dockersweep.model.policyfile import policy_schema


def run(arguments: argparse.Namespace) -> int:
    """Write the schema; return the exit status."""
    schema = policy_schema() if arguments.name == "policy" else json_schema(arguments.name)
    write_result(json.dumps(schema, indent=1) + "\n", arguments.output)
    return 0
