"""What an unknown name is answered with: the nearest that can be asked for."""

import pytest

from pointsman.answering.targets import Targets
from pointsman.config import parse
from pointsman.domain.errors import NotFound

TEXT = """\
deployments:
  small: {model: s, base_url: "http://127.0.0.1:1/v1"}
  large: {model: l, base_url: "http://127.0.0.1:2/v1"}
routes:
  thrifty: {steps: [small, large]}
tasks:
  summary: {route: thrifty}
"""


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("task:summery", "task:summary"),
        ("task:summary@thrify", "task:summary@thrifty"),
        ("task:summary@lagre", "task:summary@large"),
        ("task:sumary@small", "task:summary@small"),
        ("task:sumary@smal", "task:summary@small"),
        ("task:summary@zzzzzz", "task:summary"),
        ("smalll", "small"),
    ],
)
def test_the_nearest_name_is_one_that_can_be_asked_for(asked: str, meant: str) -> None:
    targets = Targets(parse(TEXT))
    with pytest.raises(NotFound) as refused:
        targets.resolve(asked)
    assert f"did you mean {meant!r}?" in refused.value.next
    targets.resolve(meant)


@pytest.mark.parametrize("asked", ["qqqq", "task:qqqq@small", "task:@", "@@@", "task:" + "x" * 999])
def test_nothing_is_suggested_where_nothing_is_near(asked: str) -> None:
    with pytest.raises(NotFound) as refused:
        Targets(parse(TEXT)).resolve(asked)
    assert "/v1/models" in refused.value.next
