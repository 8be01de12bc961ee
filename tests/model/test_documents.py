"""Documents: written, read back, and refused with the place that does not hold."""

import inspect
import json
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec import Raw

from dockersweep.errors import DocumentError
from dockersweep.model.document_schemas import DOCUMENTS, json_schema
from dockersweep.model.documents import read_document
from dockersweep.model.fleet import Fleet, FleetHost, FleetSums
from dockersweep.model.history import PastRemoval
from dockersweep.model.inventory import Inventory, ScanWarning
from dockersweep.model.outcome import Outcome, OutcomeDocument, Reclaimed
from dockersweep.model.plan import Decision, Interval, Plan
from dockersweep.model.reason import Reason
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.words.documents import write_document
from tests.rig.inventories import ENGINE, NOW, as_read, container, image, inventory, network, plan_of, record, volume

FULL = inventory(
    container("web", image="sha256:b", networks=["n"], volumes=["v"], labels={"a": '"<script>\n\u202e'}),
    image("a", "app:1", "app:2"),
    image("b"),
    image("c"),
    image("d", size=None, shared=None),
    volume("v"),
    network("n"),
    record("r", "q"),
    warnings=[ScanWarning(about="volume sizes", text="unknown: it hung")],
)
PLAN = plan_of(FULL, policy_from_flags(PolicyFlags(all_images=True, keep_names=("x",))), NOW)
OUTCOME = OutcomeDocument(
    schema="dockersweep.outcome/1",
    engine=ENGINE,
    started_at=NOW,
    finished_at=NOW,
    ended_early=None,
    outcomes=(Outcome(kind="image", id="a", name="a", action="untag", status="removed", detail=None, freed_bytes=0),),
    reclaimed=Reclaimed(low_bytes=0, high_bytes=None, measured_bytes=None),
    warnings=(),
)


def changed(path: list[Any], value: Any) -> bytes:
    """The full inventory as JSON, with one value replaced."""
    document = json.loads(write_document(FULL))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document).encode()


def refusal(data: bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        read_document(data, Inventory, "inv.json")
    return str(caught.value)


def test_every_document_reads_back_as_it_was_written() -> None:
    assert read_document(write_document(FULL).encode(), Inventory, "x") == FULL
    assert read_document(write_document(PLAN).encode(), Plan, "x") == as_read(PLAN)
    assert read_document(write_document(OUTCOME).encode(), OutcomeDocument, "x") == OUTCOME


def test_the_documents_of_hosts_stand_in_that_of_a_fleet_as_they_are() -> None:
    plan = write_document(PLAN)
    hosts = (
        FleetHost(name="a", address="ssh://a", status="done", exit_status=0, document=Raw(plan.encode())),
        FleetHost(name="b", address="context b", status="not-reached", exit_status=5, message="no answer"),
    )
    none = Interval(low_bytes=0, high_bytes=0)
    fleet = Fleet(
        schema="dockersweep.fleet/1", verb="plan", started_at=NOW, finished_at=NOW, exit_status=5, hosts=hosts,
        sums=FleetSums(hosts={"done": 1, "not-reached": 1}, engines=1, freed={}, total=none, used_bytes=None),
    )  # fmt: skip
    read = read_document(write_document(fleet).encode(), Fleet, "x")
    assert (read.exit_status, read.sums, read.hosts[1].document) == (5, fleet.sums, Raw(b"null"))
    assert read_document(bytes(read.hosts[0].document), Plan, "x") == as_read(PLAN)
    jsonschema.Draft202012Validator(json_schema("fleet")).validate(json.loads(write_document(fleet)))
    with pytest.raises(DocumentError, match=r"x is 'dockersweep.plan/1'; a dockersweep.fleet/1 document is needed"):
        read_document(plan.encode(), Fleet, "x")


def test_a_plan_has_the_fields_that_the_design_names() -> None:
    document = json.loads(write_document(PLAN))
    assert set(document) == {
        "schema", "engine", "taken_at", "now", "policy", "decisions", "removals", "reclaim", "limits", "warnings",
        "size_base", "reclaim_of_kinds", "not_from_disk", "target", "foreseen_at", "upcoming",
        "layers_held", "used_bytes", "unlisted_volumes", "archive",
    }  # fmt: skip
    assert document["now"] == "2026-11-24T12:00:00Z"
    assert document["limits"] == {"exceeded": [], "flags": []}
    row = next(one for one in document["removals"] if one["kind"] == "container")
    assert row["reclaim"] == {"low_bytes": 0, "high_bytes": 0}
    decision = next(one for one in document["decisions"] if one["kind"] == "container")
    assert (decision["verdict"], decision["age_seconds"], decision["age_source"]) == ("remove", 864000, "finished")
    assert decision["reasons"][0]["rule"] == "stopped containers"


def test_unknown_is_null() -> None:
    document = json.loads(write_document(FULL))
    assert document["images"][3]["size_bytes"] is None
    assert document["layers_bytes"] is None


def test_additions_are_passed_over() -> None:
    assert read_document(changed(["images", 0, "colour"], "red"), Inventory, "x") == FULL


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["images", 3, "size_bytes"], "big", "Expected `int | null`, got `str` - at `$.images[3].size_bytes`"),
        (["images", 3, "size_bytes"], -1, "at `$.images[3].size_bytes`"),
        (["volumes", 0, "created_at"], "soon", "at `$.volumes[0].created_at`"),
        (["volumes", 0, "created_at"], "2026-11-24T12:00:00", "at `$.volumes[0].created_at`"),
        (["containers"], None, "Expected `array`, got `null` - at `$.containers`"),
        (["engine", "flavour"], "lxc", "Invalid enum value 'lxc' - at `$.engine.flavour`"),
        (["schema"], "dockersweep.inventory/2", "newer than this dockersweep reads (version 1): update dockersweep"),
        (["schema"], "dockersweep.plan/1", "inv.json is 'dockersweep.plan/1'; a dockersweep.inventory/1 document"),
        (["schema"], "dockersweep.inventory/\u00b2", "a dockersweep.inventory/1 document is needed"),
        (["schema"], "dockersweep.inventory/" + "9" * 5000, "a dockersweep.inventory/1 document is needed"),
        (["schema"], None, 'inv.json has no "schema"; a dockersweep.inventory/1 document is needed'),
        (["schema"], 1, "inv.json is JSON, but not a dockersweep document"),
    ],
)
def test_what_does_not_hold_is_refused_with_its_place(path: list[Any], value: Any, message: str) -> None:
    text = refusal(changed(path, value))
    assert message in text
    assert text.startswith("inv.json ")


def test_a_document_that_was_cut_off_says_so() -> None:
    data = write_document(FULL).encode()
    for length in (1, len(data) // 2, len(data) - 3):
        assert "was it cut off while it was written?" in refusal(data[:length])


def test_json_that_is_too_deep_is_said() -> None:
    assert "inv.json is not" in refusal(b'{"schema": "dockersweep.inventory/1", "containers": ' + b"[" * 100_000)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"id": "layer:a", "high_bytes": 10**400}, "$.storage.parts[0].high_bytes"),
        ({"id": "layer:a", "high_bytes": -1}, "Expected `int` >= 0 - at `$.storage.parts[0].high_bytes`"),
        ({"id": "layer:a", "high_bytes": 1, "undivided_layers": 10**12}, "$.storage.parts[0].undivided_layers"),
        ({"id": "layer:a", "low_bytes": 2, "high_bytes": 1}, "layer:a has a low_bytes above its high_bytes"),
        ({"id": "layer:a"}, "missing required field `high_bytes` - at `$.storage.parts[0]`"),
    ],
)
def test_storage_that_cannot_be_is_refused(part: dict[str, Any], message: str) -> None:
    assert message in refusal(changed(["storage"], {"base": "disk", "parts": [part]}))


def test_an_inventory_from_before_there_was_storage_is_read() -> None:
    data = json.loads(write_document(FULL))
    del data["storage"]
    assert read_document(json.dumps(data).encode(), Inventory, "x") == FULL


@pytest.mark.parametrize(
    ("source", "flag"),
    [
        ("context far away (--context)", "far away"),
        ("context prod (--context) (DOCKER_CONTEXT)", None),
        ("context prod (DOCKER_CONTEXT)", None),
        ("--host", None),
    ],
)
def test_an_inventory_of_the_first_version_has_its_context_flag(source: str, flag: str | None) -> None:
    data = json.loads(write_document(FULL))
    del data["engine"]["context_flag"]
    data["engine"]["endpoint_source"] = source
    assert read_document(json.dumps(data).encode(), Inventory, "x").engine.context_flag == flag


@pytest.mark.parametrize("data", [b"", b" \n"])
def test_an_empty_file_says_so(data: bytes) -> None:
    assert refusal(data) == "inv.json is empty; it should hold a dockersweep.inventory/1 document"


@pytest.mark.parametrize("data", [b"[]", b"3", b'"x"', b"null"])
def test_other_json_says_so(data: bytes) -> None:
    assert refusal(data) == "inv.json is JSON, but not a dockersweep document"


@pytest.mark.parametrize("data", [b"\xff\xfe{}", b"# a comment", b'{"schema": "\xff"}'])
def test_what_is_no_json_says_so(data: bytes) -> None:
    assert "inv.json is not whole JSON" in refusal(data)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_has_a_schema_that_names_it(name: str) -> None:
    schema = json_schema(name)
    assert schema["title"] == f"dockersweep.{name}/1"
    definition = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    assert definition["properties"]["schema"] == {"enum": [f"dockersweep.{name}/1"]}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_describes_what_is_written_as_its_types_do(name: str) -> None:
    definitions = json_schema(name)["$defs"]
    types: tuple[type[msgspec.Struct], ...] = (*DOCUMENTS.values(), Decision, PastRemoval, Reason)
    described = {one.__name__: inspect.getdoc(one) for one in types if one.__name__ in definitions}
    assert described
    assert {one: definitions[one]["description"] for one in described} == described
