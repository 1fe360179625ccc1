"""Without the extra the room says which one it needs."""

import sys

import pytest

from pointsman.domain.errors import ExtraMissing


def test_without_its_libraries_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("pointsman.state.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.split(".")[0] == "sqlalchemy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    import pointsman.state

    with pytest.raises(ExtraMissing, match=r"pointsman\[state\]"):
        _ = pointsman.state.open_state
