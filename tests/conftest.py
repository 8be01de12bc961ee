"""What every test depends on: an environment of its own, and real engines."""

from __future__ import annotations

import gc
import hashlib
import importlib
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from tests.rig.engines import disks, roots, tried
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import KINDS, CannotDo, EngineKind, kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.shared import Engines, Filled
from tests.rig.examples import FEWEST, QUICK, WHOLE
from tests.rig.races import race_table

# How long an example takes is for tests/bench/ to say: beside engines at work it says nothing.
settings.register_profile("whole", deadline=None, max_examples=WHOLE)
settings.register_profile("quick", deadline=None, max_examples=QUICK)
settings.register_profile("fewest", deadline=None, max_examples=FEWEST)

_SHARED_ENGINES = ("engine", "filled")
_ENGINE_FIXTURES = {*_SHARED_ENGINES, "litter", "engines"}
_FOREIGN = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_API_VERSION",
    "CONTAINER_HOST",
    "COLUMNS",
    "PYTHONUNBUFFERED",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know how much to run, and what to print."""
    parser.addoption(
        "--quick",
        action="store_true",
        help="leave out the tests that need a real engine, a browser or a shell, and try fewer random examples",
    )
    parser.addoption("--without-linux", action="store_true", help="leave out the tests of what Linux alone has")
    parser.addoption("--few-examples", action="store_true", help="with --quick: try a third of its random examples")
    parser.addoption("--every-engine", action="store_true", help="run also where other engines are enough in every run")
    parser.addoption("--race-table", action="store_true", help="print what became of each race on each engine")


def pytest_configure(config: pytest.Config) -> None:
    """Know our markers, and how thorough to be."""
    # Before the tests are read, which ask for their share.
    few = "fewest" if config.getoption("--few-examples") else "quick"
    settings.load_profile(few if config.getoption("--quick") else "whole")
    # What people read is in the time of the machine.
    os.environ["TZ"] = "UTC"
    time.tzset()
    _take_signals()
    _compile_once()
    _collect_seldom()
    # Ours is the order in which groups of tests are begun; see pytest_collection_modifyitems.
    config.option.loadscopereorder = False
    # Before anything is started that is to see the disks of an engine.
    if not config.getoption("--without-linux"):
        disks.have_own_mounts()
    elif hasattr(os, "O_PATH") or os.path.exists("/proc/self"):
        raise pytest.UsageError("--without-linux takes nothing away by itself: python -m tests.rig.without_linux does")
    config.addinivalue_line("markers", "engines: needs a real engine, and is left out with --quick")
    config.addinivalue_line("markers", "programs: starts a browser, shells, or dockersweep by the dozen; not --quick")
    config.addinivalue_line(
        "markers",
        "linux: needs what Linux alone has, or /proc, to which /dev/fd leads; left out with --without-linux",
    )
    config.addinivalue_line("markers", "on_engines(*names): run only on these kinds of engine")
    config.addinivalue_line(
        "markers",
        "enough_on(*names, once=False): of those, run on these only, but with --every-engine; with once, on these "
        "until it has passed there with the rig as it is, and on the others with the rig's engines as they are",
    )


def _take_signals() -> None:
    """Let what tests start be ended by signals that we were started to ignore.

    A process inherits what is ignored, but no handler. SIGINT is ignored where a shell started us in the background,
    and SIGHUP under nohup(1), whose wish we follow ourselves.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)


def _compile_once() -> None:
    """Let what we import, and what tests start by the hundred, be compiled once, wherever we were called from."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _collect_seldom() -> None:
    """Let Python's collector of garbage rest: it would walk over thousands of tests again and again, a tenth of all
    that a process of the suite computes."""
    gc.set_threshold(20_000, 20, 100)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import the files of tests in another order in each process.

    In a new checkout they have to be compiled, which takes longer than all else of the collection, and each process
    finds what those before it have compiled. So they do not do the same at the same time.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if count > 1 and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        root = Path(__file__).parent
        files = sorted(root.rglob("test_*.py"))
        first = int(worker) * len(files) // count
        for file in [*files[first:], *files[:first]]:
            importlib.import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `engine` or `filled` on every kind of engine, or on those that its marker names."""
    told = {name for mark in metafunc.definition.iter_markers("parametrize") for name in _names(mark)}
    for asked in set(_SHARED_ENGINES) & set(metafunc.fixturenames) - told:
        marker = metafunc.definition.get_closest_marker("on_engines")
        chosen = [kind(name) for name in marker.args] if marker else KINDS
        enough = metafunc.definition.get_closest_marker("enough_on")
        if enough and not {one.name for one in chosen} & set(enough.args):
            raise pytest.UsageError(f"{metafunc.definition.nodeid} would run on no engine without --every-engine")
        metafunc.parametrize(asked, chosen, indirect=True, ids=str)


def _names(parametrize: pytest.Mark) -> list[str]:
    """The names of the parameters that it gives, which are told as a text or one by one."""
    names = parametrize.args[0]
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs an engine when asked to be quick, tell which tests go together, and begin with
    what takes longest, so that no process waits for another in the end."""
    left_out = _is_slow if config.getoption("--quick") else _is_more_than_enough
    if not config.getoption("--every-engine") or config.getoption("--quick"):
        config.hook.pytest_deselected(items=[item for item in items if left_out(item)])
        items[:] = [item for item in items if not left_out(item)]
    if config.getoption("--without-linux"):
        items[:] = [item for item in items if item.get_closest_marker("linux") is None]
    groups = {item: _group(item) for item in items}
    sizes = Counter(groups.values())
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (not _needs_engine(item), not _is_property(item), -sizes[groups[item]]))


def _group(item: pytest.Item) -> str:
    """Return whose tests run one by one, in one process.

    Those that only look share what an engine is filled with. The others on a shared engine go by engine and file: an
    engine starts in less than a second, and all that one of them has to do would be as long as the run. What has an
    engine of its own or tries many examples goes by itself, if it names no group, and the rest by files: pytest-xdist
    takes its time over each group.
    """
    own = item.get_closest_marker("xdist_group")
    if own is not None:
        return str(own.args[0])
    if "filled" in _params(item):
        return f"{_engine_of(item)} filled"
    if "engine" in _params(item):
        return f"{_engine_of(item)} {_file_of(item)}"
    return item.nodeid if _needs_engine(item) or _is_property(item) else _file_of(item)


def _file_of(item: pytest.Item) -> str:
    # An item's location tells it too, after it has looked into the source for the line.
    return item.nodeid.partition("::")[0]


def _params(item: pytest.Item) -> Mapping[str, object]:
    params: Mapping[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    return params


def _engine_of(item: pytest.Item) -> EngineKind | None:
    """Return the kind of engine that a test is run on; None where no parameter tells."""
    return next((value for value in _params(item).values() if isinstance(value, EngineKind)), None)


def _is_more_than_enough(item: pytest.Item) -> bool:
    """Whether a test is run on others, which are enough in every run."""
    marker, engine = item.get_closest_marker("enough_on"), _engine_of(item)
    if marker is None or engine is None:
        return False
    once = marker.kwargs.get("once", False)
    if engine.name in marker.args:
        return once and tried.has_passed(_id_with_rig(item))
    return not once or tried.has_passed(_id(item))


def _id(item: pytest.Item) -> str:
    """Return the id of a test as it is without the group that pytest-xdist appends."""
    return item.nodeid.partition("@")[0]


def _id_with_rig(item: pytest.Item) -> str:
    """Return the id of a test that is another where anything of the rig is."""
    return f"{_id(item)} {_rig()}"


@cache
def _rig() -> str:
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "rig").rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _is_property(item: pytest.Item) -> bool:
    return is_hypothesis_test(getattr(item, "obj", None))


def _is_slow(item: pytest.Item) -> bool:
    return _needs_engine(item) or item.get_closest_marker("programs") is not None


def _needs_engine(item: pytest.Item) -> bool:
    asked = set(getattr(item, "fixturenames", ()))
    return bool(asked & _ENGINE_FIXTURES) or item.get_closest_marker("engines") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Skip a test, with the reason, where its engine cannot do what it takes."""
    try:
        return (yield)
    except CannotDo as reason:
        pytest.skip(f"{item.name}: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember what need pass only once; what an engine cannot do it need not do again."""
    report = yield
    marker = item.get_closest_marker("enough_on")
    if marker and marker.kwargs.get("once") and report.when == "call" and not report.failed:
        tried.note_passed(_id(item))
        tried.note_passed(_id_with_rig(item))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of races when asked to."""
    if config.getoption("--race-table"):
        reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
        told = [str(value) for report in reports for name, value in report.user_properties if name == "race"]
        terminalreporter.write_line(race_table(told))


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each test has a home: pytest goes through all folders that it made whenever it numbers one more."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, _homes: Path) -> None:
    """Keep every test away from the user's engine, configuration and files."""
    for name in os.environ:
        if name in _FOREIGN or name.startswith("DOCKERSWEEP_"):
            monkeypatch.delenv(name)
    home = Path(tempfile.mkdtemp(dir=_homes))
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(home / name.lower()))
    # As root the ledger would be the machine's own.
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(home / "state"))
    (home / "lock").mkdir()
    monkeypatch.setenv("DOCKERSWEEP_LOCK_DIR", str(home / "lock"))
    # A program that a test starts finds the roots where we have them.
    monkeypatch.setenv("DOCKERSWEEP_TEST_CACHE", str(roots.CACHE))


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """Give the collector back what a verb, which ends with its process, has taken from it.

    Hypothesis asks it who holds its random numbers, and is told of nobody where they are frozen.
    """
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """The engines of this session, for tests that do without the parameter of `engine`."""
    roots.build_all()
    running = Engines()
    yield running
    running.close()


@pytest.fixture
def engine(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    """A real engine, running and empty; the test runs on each kind of them."""
    return engines.get(request.param)


@pytest.fixture
def filled(request: pytest.FixtureRequest, engines: Engines) -> Filled:
    """A real engine, running and filled, which stays as it is: on each kind of engine, as those before it left it."""
    return engines.filled(request.param)


@pytest.fixture(autouse=True)
def _nothing_forbidden_was_asked(request: pytest.FixtureRequest) -> Iterator[None]:
    """See to it that whatever a test did, no engine was asked for anything outside the allowed list."""
    yield
    if _ENGINE_FIXTURES & set(request.fixturenames):
        asked = request.getfixturevalue("engines").forbidden()
        assert not asked, f"an engine was asked for what is not allowed: {asked}"


@pytest.fixture
def litter(engine: Engine) -> Litter:
    """The means to fill `engine` with things to clean up."""
    return Litter(engine)


@pytest.fixture
def checkout() -> Path:
    """The folder of the project."""
    return Path(__file__).parents[1]
