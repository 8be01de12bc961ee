"""`dockersweep schema`: the JSON Schema of a document, or of a file that people write."""

import json

from dockersweep.commands.options import SchemaOptions
from dockersweep.commands.write import write_result
from dockersweep.model.document_schemas import json_schema
from dockersweep.model.fleetfile import fleet_file_schema
from dockersweep.model.policyfile import policy_schema

_OF_FILES = {"policy": policy_schema, "fleet-file": fleet_file_schema}


def run(options: SchemaOptions) -> int:
    """Write the schema; return the exit status."""
    of_file = _OF_FILES.get(options.name)
    schema = json_schema(options.name) if of_file is None else of_file()
    write_result(json.dumps(schema, indent=1) + "\n", options.output.path)
    return 0
