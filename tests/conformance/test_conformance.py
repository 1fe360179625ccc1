"""Pointsman passes every case of the suite that any gateway can be examined with."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conformance.own import pointsman
from tests.conformance.suite import Result, all_cases, run_all
from tests.conformance.upstream import Upstream

CASES = {case.name: case for case in all_cases()}


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Result]]:
    """The cases that were asked for, examined several at a time on one gateway."""
    wanted = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module.__name__ == __name__
        and hasattr(item, "callspec") and "name" in item.callspec.params
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("conformance")
    with Upstream(0) as upstream, pointsman(folder, upstream) as bench:
        found = run_all(bench, [CASES[name] for name in dict.fromkeys(wanted)])
        yield {result.case.name: result for result in found}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_pointsman_conforms(results: Mapping[str, Result], name: str) -> None:
    result = results[name]
    told = f"{result.what}\nexpected  {result.expected}\ngot       {result.got}"
    assert result.status == "pass", told


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_pointsman_conforms_in_several_processes(tmp_path: Path) -> None:
    cases = list(CASES.values())
    with Upstream(0) as upstream, pointsman(tmp_path, upstream, workers=2) as bench:
        found = run_all(bench, cases)
    assert [each for each in found if each.status != "pass"] == []
