"""`dockersweep schema`: the JSON Schema of a document, or of a policy file."""

import json

from dockersweep.commands.options import SchemaOptions
from dockersweep.commands.write import write_result
from dockersweep.model.documents import json_schema
from dockersweep.model.policyfile import policy_schema


def run(options: SchemaOptions) -> int:
    """Write the schema; return the exit status."""
    schema = policy_schema() if options.name == "policy" else json_schema(options.name)
    write_result(json.dumps(schema, indent=1) + "\n", options.output.path)
    return 0
