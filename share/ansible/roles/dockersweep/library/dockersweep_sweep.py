#!/usr/bin/python
"""An Ansible module: `dockersweep sweep --yes` on a host, or `dockersweep plan --exit-code` in check mode.

It needs nothing but Ansible and the program: it runs by the Python that Ansible has found on the host.
"""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: dockersweep_sweep
short_description: Sweep the container engine of a host
description:
  - Removes what a policy of dockersweep names, by C(dockersweep sweep --yes).
  - In check mode it runs C(dockersweep plan --exit-code), which removes nothing. Its ledger notes what it saw.
  - Changed where something was removed, in check mode where something would be. The diff lists it.
options:
  program:
    description: The program, by its name on the path or by its path.
    type: str
    default: dockersweep
  flags:
    description: Flags that C(plan) and C(sweep) have in common, like C(["--older-than", "3d"]).
    type: list
    elements: str
    default: []
  yes_first_time:
    description: Let it remove more than half of a kind where nobody has looked at the engine from a terminal.
    type: bool
    default: false
  policy_text:
    description: The text of a policy. Where it is empty, dockersweep finds its policy file as always.
    type: str
    default: ""
author:
  - the dockersweep project
"""

EXAMPLES = """
- name: Remove what nobody has used for three days
  dockersweep_sweep:
    flags: ["--older-than", "3d", "--all-images"]
"""

RETURN = """
document:
  description: The document dockersweep.outcome/1, in check mode dockersweep.plan/1; none where it did not come to that.
  type: dict
  returned: always
exit_status:
  description: The exit status of dockersweep. 10 is a plan that removes something.
  type: int
  returned: always
msg:
  description: What dockersweep said, where it failed.
  type: str
  returned: failure
"""

SOMETHING_TO_REMOVE = 10


def main() -> None:
    """Run it, and tell Ansible how it ended."""
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "str", "default": "dockersweep"},
            "flags": {"type": "list", "elements": "str", "default": []},
            "yes_first_time": {"type": "bool", "default": False},
            "policy_text": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    program = module.get_bin_path(module.params["program"])
    if program is None:
        _without_program(module)
    policy = module.params["policy_text"]
    words = [program, *_verb(module), "--format", "json", *module.params["flags"]]
    status, stdout, stderr = module.run_command([*words, "--policy", "-"] if policy else words, data=policy or None)
    document = _document(stdout)
    # A plan that is over a limit removes nothing.
    rows = _rows(document) if status == SOMETHING_TO_REMOVE or not module.check_mode else []
    result = {
        "changed": bool(rows),
        "exit_status": status,
        "document": document,
        "diff": {"before": "".join(f"{row}\n" for row in rows), "after": ""},
    }
    if status not in (0, SOMETHING_TO_REMOVE):
        module.fail_json(msg=_sentences(stderr) or f"dockersweep ended with {status}", **result)
    module.exit_json(**result)


def _without_program(module: Any) -> None:
    missing = f"{module.params['program']} is not installed"
    if module.check_mode:
        # An earlier task may only have said that it would install it.
        module.exit_json(skipped=True, exit_status=0, document=None, msg=f"{missing} yet, so there is no plan")
    module.fail_json(exit_status=1, document=None, msg=f"{missing} on this host")


def _verb(module: Any) -> list[str]:
    if module.check_mode:
        return ["plan", "--exit-code"]
    first_time = ["--yes-first-time"] if module.params["yes_first_time"] else []
    return ["sweep", "--yes", "--lock-timeout", "10m", *first_time]


def _document(text: str) -> dict[str, Any] | None:
    """Return the document; None where dockersweep ended without one."""
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return document


def _rows(document: dict[str, Any] | None) -> list[str]:
    """Return a line for each object that was removed or would be; names come from the engine, and go to a terminal."""
    if document is None:
        return []
    removed = [outcome for outcome in document.get("outcomes", ()) if outcome["status"] == "removed"]
    lines = [f"{one['kind']} {one['name']}" for one in [*document.get("removals", ()), *removed]]
    return ["".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line) for line in lines]


def _sentences(stderr: str) -> str:
    """Return why dockersweep ended as it did, without the warnings of the scan."""
    own = [line for line in stderr.splitlines() if not line.startswith("Warning: ")]
    return "\n".join(line.removeprefix("dockersweep: ") for line in own)


if __name__ == "__main__":
    main()
