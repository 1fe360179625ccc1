"""What a pointsman.yaml says of keeping: shown without the key, refused where it contradicts."""

import pytest

from pointsman.config import as_json, parse, show
from pointsman.domain.errors import ConfigurationError

DEPLOYMENT = 'deployments: {small: {model: m, base_url: "http://127.0.0.1:1/v1"}}\n'
WHOLE = (
    DEPLOYMENT
    + "tasks: {work: {retention_days: 10}}\n"
    + "journal: {keep_records_days: 400, encryption: {key: '${MASTER}'}}\n"
    + "keeping: {every_s: 30}\n"
)


def test_the_master_key_is_shown_by_its_variable_only() -> None:
    config = parse(WHOLE, env={"MASTER": "ab" * 32})
    assert config.journal.keep_records_days == 400
    assert config.keeping.every_s == 30
    shown = show(config, with_defaults=True)
    assert "${MASTER}" in shown
    assert "abab" not in shown + str(as_json(config)) + repr(config.journal)
    assert parse(shown, env={"MASTER": "ab" * 32}).digest == config.digest


def test_records_never_go_before_bodies() -> None:
    text = DEPLOYMENT + "tasks: {work: {retention_days: 30}}\njournal: {keep_records_days: 7}\n"
    with pytest.raises(ConfigurationError, match="bodies go before records"):
        parse(text)


@pytest.mark.parametrize("said", ["{}", "{key: a, key_file: b}"])
def test_encryption_names_one_key(said: str) -> None:
    with pytest.raises(ConfigurationError, match="exactly one of key_file, key"):
        parse(DEPLOYMENT + f"journal: {{encryption: {said}}}\n")
