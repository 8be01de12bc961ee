"""Problems of the values in the archive of a policy file, where each value is valid by itself."""

from collections.abc import Iterator

from dockersweep.model.policyfile import ArchiveTable
from dockersweep.policy.language.problems import KeyProblem
from dockersweep.policy.language.target_checks import read_space
from dockersweep.units import parse_age, parse_size


def archive_problems(archive: ArchiveTable) -> Iterator[KeyProblem]:
    """Yield what makes an archive useless, or says something twice."""
    if parse_age(archive.keep_for).is_zero:
        text = "keep_for = 0s would delete each archive as soon as it is made: write how long it stays, like 14d"
        yield KeyProblem(("archive", "keep_for"), text, at="value")
    if archive.max_size is not None and not parse_size(archive.max_size):
        text = "nothing fits into an archive of 0 bytes: write more, or leave [archive] out"
        yield KeyProblem(("archive", "max_size"), text, at="value")
    if read_space(archive.min_free).percent == 100:
        yield KeyProblem(("archive", "min_free"), "no disk can be free as a whole: write less than 100%", at="value")
    kinds = archive.kinds or []
    for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        yield KeyProblem(("archive", "kinds"), f'"{kind}" stands there twice: once is enough', at="value")
