"""What has passed with the rig as it is is known until the rig changes."""

from pathlib import Path

import pytest

from tests.rig.engines import tried


def test_what_has_passed_is_known_until_the_rig_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = tmp_path / "rig"
    (rig / "engines").mkdir(parents=True)
    for name in ("engines/engine.py", "recorder.py", "test_traffic.py"):
        (rig / name).write_text("as it is")
    monkeypatch.setattr(tried, "_RIG", rig)
    monkeypatch.setattr(tried, "CACHE", tmp_path)
    tried._rig.cache_clear()
    try:
        tried.note_passed("test_one")
        assert (tried.has_passed("test_one"), tried.has_passed("test_other")) == (True, False)
        (rig / "engines" / "engine.py").write_text("changed")
        tried._rig.cache_clear()
        assert not tried.has_passed("test_one")
    finally:
        tried._rig.cache_clear()
