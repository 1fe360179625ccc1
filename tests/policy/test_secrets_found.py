"""Secrets: vendors' tokens by form and proof, other values by the name they stand under."""

import base64
import zlib

import pytest

from pointsman.policy.detectors.secrets.detector import Secrets
from pointsman.policy.detectors.secrets.proofs import github
from pointsman.policy.detectors.secrets.rule_files import RuleRefused, rules_of
from pointsman.policy.detectors.secrets.values import is_placeholder, is_wordy, looks_random

DETECTOR = Secrets()
RANDOM = "q7Zk2vXw9Lr4TbN8sYc3"  # nobody's: written for this test


def _found(text: str, detector: Secrets = DETECTOR) -> list[str]:
    return [text[f.start : f.end] for f in detector.judge(text, channel="content").findings]


def _github() -> str:
    signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    body = (RANDOM * 2)[:30]
    value, check = zlib.crc32(body.encode()), ""
    while value:
        value, rest = divmod(value, 62)
        check = signs[rest] + check
    return "ghp_" + body + check.rjust(6, "0")


def test_a_github_token_is_proven_by_its_checksum():
    token = _github()
    assert _found(f"push with {token}") == [token]
    assert github(token[:-1] + ("a" if token[-1] != "a" else "b")) is False


def test_one_space_between_two_tokens_hides_neither():
    tokens = [f"npm_{(RANDOM * 2)[:36]}", f"npm_{(RANDOM[::-1] * 2)[:36]}"]
    assert _found(" ".join(tokens)) == tokens


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f'API_KEY = "{RANDOM}"', RANDOM),
        (f"export STRIPE_TOKEN={RANDOM}", RANDOM),
        ("password: 'tr0ub4dor&3x'", "tr0ub4dor&3x"),
        ("postgres://app:s3cr-Pa55@db.internal/x", "s3cr-Pa55"),
        ("Server=db;User=app;Password=Pa55-w0rd9;", "Pa55-w0rd9"),
        (f"Authorization: Bearer {RANDOM}{RANDOM}", RANDOM * 2),
        ("curl -u admin:Zx9-kk2p https://h/", "Zx9-kk2p"),
        (f"datadog: {RANDOM}", RANDOM),
        ("machine h login me password k3y-Zz81", "k3y-Zz81"),
        ("the password is kX9-mQ2vL7", "kX9-mQ2vL7"),
        (f"HEROKU_ID={RANDOM}", RANDOM),
    ],
)
def test_a_value_that_a_name_calls_secret_is_found(text, secret):
    assert secret in _found(text)


@pytest.mark.parametrize(
    "text",
    [
        'API_KEY = "your-api-key-here"',
        "password=${DB_PASSWORD}",
        "token: xxxxxxxxxxxxxxxxxxxxxxxx",
        f'for example: api_key = "{RANDOM}"',
        'password = "password123"',
        "pwd: P@ssw0rd",
        f"token: mock-{RANDOM[:9]}",
        "secret = base64.b64encode(os.urandom(32))",
        "key abc123def456ghi789jkl012",
        "trace token 4bf92f3577b34da6a3ce929d0e0e4736",
        '"key": "Ctrl+Shift+Alt+F12"',
        "anthropic-beta: managed-agents-2026-04-01",
        "key: Ed25519PrivateKey",
        "xoxp-1234-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d",
        "hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "secret_key = os.environ['SECRET']",
        f"commit_sha_key: {'9e107d9d372bb6826bd81d3542a419d6'}",
        "keyboard_layout = dvorak2023intl",
        "primary_key = 'user_account_id'",
        "the key to success is patience",
        "postgres://user:password@localhost/db",
        "-----BEGIN PRIVATE KEY-----\nanything\n-----END PRIVATE KEY-----",
        "ghp_" + "x" * 36,
    ],
)
def test_a_look_alike_is_left_alone(text):
    assert _found(text) == []


def test_a_private_key_is_found_whole_and_also_where_it_is_cut_off():
    body = base64.b64encode(bytes(range(256))).decode()
    whole = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    assert _found(f"a {whole} b") == [whole]
    assert _found("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl")


def test_rules_of_a_file_are_asked_too():
    rules = rules_of({"rules": [{"id": "ours", "regex": "ours-([a-z0-9]{12})", "entropy": 2.0}]})
    assert _found("see ours-k3j9x0q1m2p4", Secrets(rules=rules)) == ["k3j9x0q1m2p4"]


@pytest.mark.parametrize(
    "table", [{}, {"rules": [{"id": "x"}]}, {"rules": [{"id": "x", "regex": "(?<=a)b"}]}]
)
def test_a_rule_that_cannot_be_used_is_refused_by_name(table):
    with pytest.raises(RuleRefused):
        rules_of(
            table if "rules" not in table else {"rules": [{"path": None, **table["rules"][0]}]}
        )


def test_chance_is_told_from_words():
    assert looks_random(RANDOM)
    assert not looks_random("AcceptanceTimeoutSeconds")
    assert is_wordy("event-bus-message-api")
    assert is_placeholder("<your token>")
    assert is_placeholder("abcdefghijkl1234")
    assert not is_placeholder(RANDOM)
