"""What `restore` knows before it makes anything: the ledger's removals, and what archives have."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockersweep.commands.restoring.archives import Archives
from dockersweep.commands.restoring.known import known_removals
from dockersweep.errors import ArchiveError
from dockersweep.ledger import Ledger
from dockersweep.model.attempt import outcome_for
from dockersweep.model.inventory import Kind
from dockersweep.model.restoring import Removed
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from tests.ledger.past_runs import START
from tests.rig.inventories import ENGINE, NOW, inventory, network, plan_of

DOCUMENTS = {"front": b'{"Name": "front"}', "back": b"{", "gone": None}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with a run that removed these networks; of one it keeps nothing."""
    with Ledger(tmp_path) as ledger:
        seen = inventory(*map(network, DOCUMENTS))
        run = ledger.begin(START)
        plan = plan_of(seen, policy_from_flags(PolicyFlags()), NOW)
        run.plan(plan, seen)
        for removal in plan.removals:
            run.sending(removal)
            run.ended(removal, outcome_for(removal, "removed"))
            document = DOCUMENTS[removal.name]
            if document is not None:
                run.definition("network", removal.id, document)
        run.finish(0, NOW, None, None)
        yield ledger


def known(ledger: Ledger, archives: Archives, folder: Path) -> dict[str, Removed]:
    return {one.name: one for one in known_removals(ledger, ENGINE, archives, str(folder / "no"), is_named=False)}


def test_documents_of_networks_are_read_when_they_are_needed(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    definition = Ledger.definition

    def asking(self: Ledger, run: int, kind: Kind, object_id: str) -> bytes | None:
        asked.append(object_id)
        return definition(self, run, kind, object_id)

    monkeypatch.setattr(Ledger, "definition", asking)
    with Archives(ENGINE) as archives:
        found = known(ledger, archives, tmp_path)
        assert {name: one.how for name, one in found.items()} == {
            "front": "recreate",
            "back": "recreate",
            "gone": "none",
        }
        # A ledger has those of a year and more.
        assert asked == []
        front = found["front"]
        assert archives.document(front) == {"Name": "front"}
        assert asked == [front.id]


def test_a_document_that_is_damaged_is_told_when_its_object_is_made(ledger: Ledger, tmp_path: Path) -> None:
    with Archives(ENGINE) as archives:
        back = known(ledger, archives, tmp_path)["back"]
        assert back.document is not None
        # So that a plan can be shown.
        assert dict(back.document.content) == {}
        with pytest.raises(ArchiveError, match="what the ledger keeps of network back is damaged"):
            archives.document(back)


def test_why_an_archive_cannot_be_looked_into_is_told_in_words(tmp_path: Path) -> None:
    folder = f"{tmp_path}/{'x' * 300}"
    with Archives(ENGINE) as archives:
        archives.look_into(folder, must_be_there=False)
        assert [warning.text for warning in archives.warnings] == [f"{folder}: File name too long"]
