"""Relative paths of a file start from its own folder."""

import pytest

from pointsman.backends.embedded_making import placed
from pointsman.config import load, parse
from pointsman.domain.errors import ConfigurationError

TEXT = """\
deployments:
  own: {model: m, embedded: {gguf: models/own.gguf}}
  shipped: {model: m, embedded: {gguf: "embedded:small-f16"}}
journal: {path: facts}
"""


def test_paths_start_from_the_files_own_folder_and_the_digest_does_not_change(tmp_path):
    files = [tmp_path / "a" / "pointsman.yaml", tmp_path / "b" / "pointsman.yaml"]
    for file in files:
        file.parent.mkdir()
        file.write_text(TEXT)
    first, second = (load(file, env={}) for file in files)
    assert first.journal_path == str(tmp_path / "a" / "facts")
    own = placed(first, first.deployments["own"])
    assert own.embedded.gguf == str(tmp_path / "a" / "models" / "own.gguf")
    shipped = first.deployments["shipped"]
    assert placed(first, shipped) == shipped
    assert first.digest == second.digest


@pytest.mark.parametrize("key", ["abc\\r\\nx-injected: yes", "tab\\there", "schl\\u00fcssel"])
def test_a_key_that_no_header_takes_is_a_problem_of_the_file(key):
    text = f'deployments: {{a: {{model: m, base_url: "http://h/v1", api_key: "{key}"}}}}\n'
    with pytest.raises(ConfigurationError, match="api_key"):
        parse(text)
