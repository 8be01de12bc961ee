"""dockersweep as pip installs it, with both its programs, though it is this checkout: nothing is built or copied."""

import sys
from pathlib import Path

import dockersweep

SCRIPT = """\
#!{python}
import sys
sys.path.insert(0, {lib!r})
from {module} import main
if __name__ == "__main__":
    sys.exit(main())
"""
RECORD = "../bin/dockersweep,,\n../bin/docker-sweep,,\ndockersweep/__init__.py,,\n"
"""What was installed, as pip writes it down."""


def install_copy(folder: Path, record: str = RECORD) -> Path:
    """Install into a folder that is not there yet, with this record, and return the folder of the programs."""
    library, programs = folder / "lib", folder / "bin"
    metadata = library / "dockersweep-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (library / "dockersweep").symlink_to(Path(dockersweep.__file__).parent)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dockersweep\nVersion: 0.1.0\n")
    (metadata / "RECORD").write_text(record)
    programs.mkdir()
    for name, module in (("dockersweep", "dockersweep.__main__"), ("docker-sweep", "dockersweep.docker_plugin")):
        program = programs / name
        program.write_text(SCRIPT.format(python=sys.executable, lib=str(library), module=module))
        program.chmod(0o755)
    return programs
