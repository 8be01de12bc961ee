"""What the ledger keeps of compose projects: who used an object last, and what is known of the project."""

from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from dockersweep.ledger import Ledger
from dockersweep.model.event_reading import EventPosition, NoticedUses
from dockersweep.model.inventory import Container, Image, Inventory, ObjectRef, Volume
from dockersweep.model.last_use import LastProject, PastUse
from dockersweep.policy.judging.projects import with_projects, with_volumes_of_projects
from dockersweep.policy.judging.survey import Survey
from tests.rig.inventories import NOW, container, image, inventory, network, volume

DAY = timedelta(days=1)
POSITION = EventPosition(ends_at=NOW, anchor=None)
DATA = volume("0" * 64, labels={"com.docker.volume.anonymous": ""})


def _of(project: str, name: str, one_off: bool = False, folder: str | None = None, image: str = "base") -> Container:
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": name.split("-")[1],
        "com.docker.compose.config-hash": "1f",
        "com.docker.compose.oneoff": str(one_off),
    }
    if folder:
        labels["com.docker.compose.project.working_dir"] = folder
        labels["com.docker.compose.project.config_files"] = f"{folder}/compose.yaml,{folder}/compose.override.yaml"
    made = container(name, "running", volumes=[DATA.name], image=f"sha256:{image}")
    return replace(made, labels=labels, networks=("net-byhand",))


def _scan(
    ledger: Ledger, seen: Inventory, at: datetime, writes: bool = True, noticed: NoticedUses | None = None
) -> Inventory:
    survey = Survey(replace(seen, taken_at=at), at)
    survey = survey.with_inventory(with_projects(survey))
    return with_volumes_of_projects(ledger.update_objects(survey.inventory, survey.in_use, at, writes, noticed))


def _left(*more: Container | Image) -> Inventory:
    return inventory(image("base", "base:1"), replace(DATA, anonymous=True), network("byhand"), *more)


def _users(seen: Inventory) -> dict[str, tuple[str, ...]]:
    of_images = {one.tags[0]: _names(one.last_projects) for one in seen.images}
    of_volumes = {one.name: _names(one.last_projects) for one in seen.volumes}
    return of_images | of_volumes | {one.name: _names(one.last_projects) for one in seen.networks}


def _names(uses: tuple[LastProject, ...]) -> tuple[str, ...]:
    return tuple(use.project for use in uses)


def test_what_a_project_used_last_is_its_own_until_another_uses_it(tmp_path: Path) -> None:
    every = dict.fromkeys(("base:1", DATA.name, "byhand"), ("shop",))
    with Ledger(tmp_path) as ledger:
        assert _users(_scan(ledger, _left(_of("shop", "shop-db-1")), NOW)) == every
        after_down = _scan(ledger, _left(), NOW + DAY)
        assert _users(after_down) == every
        assert after_down.volumes[0].project == "shop"
        kept = after_down.volumes[0].last_projects[0]
        assert (kept.service, kept.container, kept.at) == ("db", "shop-db-1", NOW)
        _scan(ledger, _left(_of("blog", "blog-web-1")), NOW + 2 * DAY)
        last = _scan(ledger, _left(), NOW + 3 * DAY)
        assert set(_users(last).values()) == {("blog",)}
        assert last.volumes[0].project == "blog"


def test_what_two_projects_use_at_once_is_of_both(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        _scan(ledger, _left(_of("shop", "shop-db-1"), _of("blog", "blog-web-1")), NOW)
        after = _scan(ledger, _left(), NOW + DAY)
        assert set(_users(after).values()) == {("blog", "shop")}
        # Whose data the volume has is not known.
        assert after.volumes[0].project is None


def test_who_shared_it_keeps_it_while_no_other_comes(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        _scan(ledger, _left(_of("shop", "shop-db-1"), _of("blog", "blog-web-1")), NOW)
        only_blog = _scan(ledger, _left(_of("blog", "blog-web-1")), NOW + DAY)
        assert _users(only_blog)["base:1"] == ("blog", "shop")
        _scan(ledger, _left(_of("blog", "blog-web-1"), _of("ads", "ads-web-1")), NOW + 2 * DAY)
        assert _users(_scan(ledger, _left(), NOW + 3 * DAY))["base:1"] == ("ads", "blog")


def _heard(at: datetime, project: str | None, by: str = "shop-db-run-1") -> NoticedUses:
    use = PastUse(at=at, action="mounted", by=by, project=project, service="db" if project else None)
    return NoticedUses(uses={ObjectRef(kind="volume", id=DATA.name): (use,)}, position=POSITION, watched=None)


def test_a_use_that_was_noticed_between_two_scans_counts(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        _scan(ledger, _left(_of("blog", "blog-db-1")), NOW)
        seen = _scan(ledger, _left(), NOW + 3 * DAY, noticed=_heard(NOW + DAY, "shop"))
        assert _names(seen.volumes[0].last_projects) == ("shop",)
        # Its container is gone: whether the label was its own nobody can say.
        assert seen.volumes[0].project is None
        assert [(one.project, one.container_at, one.has_services) for one in seen.projects or ()] == [
            ("blog", NOW, True),
            ("shop", NOW + DAY, False),
        ]


def test_the_project_that_had_it_before_has_it_for_certain_after_its_down(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        _scan(ledger, _left(_of("shop", "shop-db-1")), NOW)
        seen = _scan(ledger, _left(), NOW + 2 * DAY, noticed=_heard(NOW + DAY, "shop"))
        assert seen.volumes[0].project == "shop"
        assert seen.volumes[0].last_projects[0].at == NOW + DAY
        by_hand = _scan(ledger, _left(), NOW + 4 * DAY, noticed=_heard(NOW + 3 * DAY, None, "by-hand"))
        assert (by_hand.volumes[0].project, _names(by_hand.volumes[0].last_projects)) == (None, ("shop",))


def test_a_use_by_no_project_leaves_it_to_the_last_one(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        _scan(ledger, _left(_of("shop", "shop-db-1")), NOW)
        by_hand = container("by-hand", "running", volumes=[DATA.name], image="sha256:base")
        assert _users(_scan(ledger, _left(by_hand), NOW + DAY))["base:1"] == ("shop",)


def test_an_object_that_comes_back_is_nobodys(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        _scan(ledger, _left(_of("shop", "shop-db-1")), NOW)
        _scan(ledger, inventory(), NOW + DAY)
        assert set(_users(_scan(ledger, _left(), NOW + 2 * DAY)).values()) == {()}


def test_an_instant_that_somebody_chose_is_not_written(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        seen = _scan(ledger, _left(_of("shop", "shop-db-1")), NOW, writes=False)
        assert _users(seen)["base:1"] == ("shop",)
        assert set(_users(_scan(ledger, _left(), NOW + DAY)).values()) == {()}


def test_projects_are_known_by_their_last_container_folder_and_files(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        _scan(ledger, _left(_of("shop", "shop-db-1", folder="/srv/shop"), _of("job", "job-run-1", one_off=True)), NOW)
        _scan(ledger, _left(_of("job", "job-run-2", one_off=True)), NOW + DAY)
        job, shop = _scan(ledger, _left(), NOW + 2 * DAY).projects or ()
        assert (shop.project, shop.working_dir, shop.container_at) == ("shop", "/srv/shop", NOW)
        assert shop.config_files == ("/srv/shop/compose.yaml", "/srv/shop/compose.override.yaml")
        assert shop.has_services
        assert (job.working_dir, job.config_files, job.container_at) == (None, (), NOW + DAY)
        assert not job.has_services
        _scan(ledger, _left(_of("job", "job-web-1", folder="/srv/job")), NOW + 3 * DAY)
        (job, _) = _scan(ledger, _left(), NOW + 4 * DAY).projects or ()
        assert (job.working_dir, job.has_services) == ("/srv/job", True)


def test_a_project_of_which_nothing_is_left_is_forgotten(tmp_path: Path) -> None:
    data = replace(volume("keeps_data", anonymous=False), project="keeps")
    with Ledger(tmp_path) as ledger:
        for day in range(3):
            own = container(f"review-{day}", "running", image=f"sha256:{day}")
            labels = {"com.docker.compose.project": own.name, "com.docker.compose.config-hash": "1f"}
            keeps = replace(own, name="keeps-db", id="k", labels={**labels, "com.docker.compose.project": "keeps"})
            _scan(ledger, inventory(replace(own, labels=labels), keeps, data), NOW + day * DAY)
        left = _scan(ledger, inventory(data), NOW + 3 * DAY).projects or ()
        assert [(one.project, one.container_at) for one in left] == [("keeps", NOW + 2 * DAY)]
        assert _scan(ledger, inventory(), NOW + 4 * DAY).projects == ()


def test_an_image_that_had_its_label_from_another_has_it_from_there_when_that_is_gone(tmp_path: Path) -> None:
    labels = {"com.docker.compose.project": "review-7", "com.docker.compose.service": "a"}
    built = image("built", "review-7-a", labels=labels)
    derived = image("derived", "prod/app:1", labels=labels, parent="built")
    with Ledger(tmp_path) as ledger:
        first = _scan(ledger, inventory(built, derived), NOW)
        assert _owners(first) == {"review-7-a": ("review-7", None), "prod/app:1": (None, "review-7")}
        alone = _scan(ledger, inventory(derived), NOW + DAY)
        assert _owners(alone) == {"prod/app:1": (None, "review-7")}
    # Without the memory it looks like one that compose built with a name of its own.
    with Ledger(tmp_path / "other") as ledger:
        assert _owners(_scan(ledger, inventory(derived), NOW)) == {"prod/app:1": ("review-7", None)}


def _owners(seen: Inventory) -> dict[str, tuple[str | None, str | None]]:
    return {one.tags[0]: (one.project, one.maybe_project) for one in seen.images}


def test_names_that_are_no_text_are_kept_as_they_can_be(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        _scan(ledger, _left(_of("sh\udcffop", "shop-db-1", folder="/srv/\udcff")), NOW)
        after = _scan(ledger, _left(), NOW + DAY)
        assert _names(after.volumes[0].last_projects) == ("sh\\udcffop",)
        assert isinstance(after.volumes[0], Volume)


def test_a_saved_inventory_tells_the_same_of_projects_as_its_engine_did(tmp_path: Path) -> None:
    labels = {"com.docker.compose.project": "review-7", "com.docker.compose.service": "a"}
    derived = image("derived", "prod/app:1", labels=labels, parent="built")
    with Ledger(tmp_path) as ledger:
        both = (_of("shop", "shop-db-1"), _of("blog", "blog-web-1"))
        _scan(ledger, _left(*both, image("built", "review-7-a", labels=labels), derived), NOW)
        told = _scan(ledger, _left(_of("shop", "shop-db-1"), derived), NOW + DAY)
    assert _users(told)["base:1"] == ("blog", "shop")
    survey = Survey(told, told.taken_at)
    assert with_volumes_of_projects(with_projects(survey)) == told
