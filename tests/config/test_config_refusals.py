"""Every way a file can be wrong, with the words and the place of its error.

`golden/refused.txt` holds them: `❯ name`, the file, then `⇒` and each line of the error. With
GOLDEN=write in the environment the lines are written anew; the diff is reviewed like code.
"""

import os
from pathlib import Path

import pytest

from pointsman.config import parse
from pointsman.domain.errors import ConfigurationError

GOLDEN = Path(__file__).parent / "golden" / "refused.txt"


def cases() -> dict[str, tuple[str, list[str]]]:
    found = {}
    for block in GOLDEN.read_text().removeprefix("❯ ").split("\n❯ "):
        name, _, rest = block.partition("\n")
        text, *lines = rest.split("⇒ ")
        found[name] = (text, [line.strip() for line in lines])
    return found


def error_of(text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return caught.value


def lines_of(error: ConfigurationError) -> list[str]:
    return [line.strip() for line in error.why.split("\n")]


CASES = cases()


@pytest.mark.skipif(os.environ.get("GOLDEN") == "write", reason="the lines are being rewritten")
@pytest.mark.parametrize("name", CASES)
def test_a_wrong_file_is_refused_at_its_line(name: str) -> None:
    text, expected = CASES[name]
    assert lines_of(error_of(text)) == expected


@pytest.mark.skipif(os.environ.get("GOLDEN") != "write", reason="only on demand")
def test_rewrite_the_lines() -> None:
    blocks = []
    for name, (text, _) in CASES.items():
        said = "".join(f"⇒ {line}\n" for line in lines_of(error_of(text)))
        blocks.append(f"❯ {name}\n{text}{said}")
    GOLDEN.write_text("\n".join(blocks))


def test_the_error_says_what_why_and_next() -> None:
    error = error_of("deployments:\n  small: {modle: m, base_url: 'http://h'}\n")
    assert str(error) == (
        "pointsman.yaml does not say what it must: 2 problems\n"
        "  why   pointsman.yaml:2:10: deployments.small: needs 'model'\n"
        "        pointsman.yaml:2:11: deployments.small: unknown key 'modle'"
        " (did you mean 'model'?)\n"
        "  next  correct these lines and load it again"
    )
    assert (error.code, error.exit_code) == ("configuration", 3)


def test_a_long_list_of_problems_is_cut() -> None:
    keys = "".join(f"  k{number}: {{tenant: a}}\n" for number in range(60))
    error = error_of("deployments: {d: {model: m, base_url: 'http://h'}}\nkeys:\n" + keys)
    assert lines_of(error)[-1] == "and 20 more"


@pytest.mark.parametrize(
    "text",
    [
        "deployments: {d: {model: m, base_url: 'http://u:hunter2@h'}}",
        "deployments: {d: {model: m, base_url: 'http://h?key=hunter2'}}",
        "deployments: {d: {model: m, base_url: 'http://h', api_key: [hunter2]}}",
        "deployments: {d: {model: m, base_url: 'http://h', logprobs: hunter2}}",
        "deployments: {d: {model: m, base_url: '${S}', engine: '${S}', family: '${S}!'}}",
        "deployments: {d: {model: m, base_url: 'http://h'}}\naliases: {a: '${S}'}",
        "deployments: {d: {model: m, base_url: 'http://h'}}\nserver: {port: '${S}'}",
        "deployments: {d: {model: m, base_url: 'http://h'}}\nkeys: {a: {key: {hunter2: 1}}}",
    ],
)
def test_an_error_never_shows_a_secret(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, env={"S": "hunter2"})
    assert "hunter2" not in str(caught.value).replace("key 'hunter2'", "")
