"""What was installed with the package that runs."""

import os

import dockersweep


def package_folder() -> str:
    """Return the folder of the code that runs."""
    return os.path.dirname(os.path.realpath(dockersweep.__file__))


def installed_files(name: str) -> list[str]:
    """Return where files of this name were put when dockersweep was installed, by the installation's own record; none
    where there is no record."""
    from importlib.metadata import PackageNotFoundError, files

    try:
        return [os.path.realpath(file.locate()) for file in files("dockersweep") or () if file.name == name]
    except PackageNotFoundError:
        return []
