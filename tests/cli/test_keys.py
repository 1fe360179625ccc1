"""`pointsman keys` and `pointsman budgets`: a secret is printed once, alone, and nowhere else."""

from pathlib import Path

import pytest

CONFIG = """\
deployments:
  small: {model: small, base_url: "http://127.0.0.1:9/v1", limits: {max_output_tokens: 10}}
tasks: {work: {}}
keys: {app: {key: secret-of-app, limits: {usd_per_day: 2.5}}}
teams: {search: {tenant: acme, limits: {usd_per_month: 100}}}
tenants: {acme: {limits: {requests_per_minute: 10}}}
virtual_keys: {enabled: true}
journal: {path: journal}
"""


@pytest.fixture
def pointsman(run, tmp_path: Path):
    path = tmp_path / "pointsman.yaml"
    path.write_text(CONFIG)

    def ran(*words: str, code: int = 0):
        done = run(*words, "-c", str(path))
        assert done.code == code, (done.out, done.err)
        return done

    return ran


def test_a_secret_is_all_there_is_on_stdout(pointsman):
    done = pointsman("keys", "create", "mine", "--task", "work", "--usd-per-day", "1.5")
    assert done.out.startswith("sk-pm-")
    assert len(done.out.splitlines()) == 1
    assert "sk-pm-" not in done.err


def test_what_is_listed_and_shown_has_everything_but_the_secret(pointsman):
    secret = pointsman(
        "keys", "create", "mine", "--team", "search", "--model", "small",
        "--requests-per-minute", "5", "--usd-per-month", "9.99", "--expires-in-days", "3",
    ).out.strip()  # fmt: skip
    for words in (("list",), ("list", "--json"), ("show", "mine"), ("show", "mine", "--json")):
        said = pointsman("keys", *words).out
        assert secret not in said
        assert "mine" in said
        assert "acme" in said
    shown = pointsman("keys", "show", "mine", "--json").json
    assert shown["limits"]["usd_per_month"] == 9.99
    assert shown["limits"]["requests_per_minute"] == 5
    assert (shown["tenant"], shown["team"], shown["models"]) == ("acme", "search", ["small"])
    assert shown["secrets"][0]["hint"] == secret[-4:]
    assert "5 requests/min, $9.99/month" in pointsman("keys", "list").out


def test_json_of_a_creation_has_the_secret_once(pointsman):
    made = pointsman("keys", "create", "mine", "--json").json
    assert made["secret"].startswith("sk-pm-")
    assert made["expires_us"] is None


def test_a_rotation_prints_another_secret(pointsman):
    first = pointsman("keys", "create", "mine").out
    done = pointsman("keys", "rotate", "mine", "--overlap-hours", "2")
    assert done.out.startswith("sk-pm-")
    assert done.out != first
    assert "2 hours" in done.err
    assert len(pointsman("keys", "show", "mine", "--json").json["secrets"]) == 2


def test_a_revocation_asks_or_wants_yes(pointsman):
    pointsman("keys", "create", "mine")
    pointsman("keys", "revoke", "mine", code=2)
    pointsman("keys", "revoke", "mine", "--yes")
    assert "revoked" in pointsman("keys", "list").out
    pointsman("keys", "rotate", "mine", code=2)


@pytest.mark.parametrize(
    "words",
    [
        ("create", "app"),  # a key of the file
        ("create", "x", "--task", "nosuch"),
        ("create", "x", "--model", "nosuch"),
        ("create", "x", "--team", "nosuch"),
        ("create", "x", "--team", "search", "--tenant", "other"),
        ("create", "x", "--usd-per-day", "0"),
        ("create", "x", "--usd-per-day", "-1"),
        ("create", "x", "--usd-per-day", "nan"),
        ("create", "x", "--usd-per-day", "0.0000001"),
        ("create", "x", "--usd-per-month", "1e30"),
        ("create", "x", "--requests-per-minute", "0"),
        ("create", "x", "--concurrency", "-1"),
        ("create", "x", "--expires-in-days", "0"),
        ("create", ""),
        ("show", "nosuch"),
        ("rotate", "nosuch"),
        ("revoke", "nosuch", "--yes"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_and_makes_nothing(pointsman, words):
    pointsman("keys", *words, code=2)
    assert pointsman("keys", "list", "--json").json == []


def test_a_name_that_was_used_is_refused(pointsman):
    pointsman("keys", "create", "mine")
    pointsman("keys", "create", "mine", code=2)


def test_budgets_stand_at_nothing_before_anybody_spends(pointsman):
    pointsman("keys", "create", "mine", "--usd-per-day", "1")
    pointsman("keys", "create", "gone", "--usd-per-day", "1")
    pointsman("keys", "revoke", "gone", "--yes")
    found = pointsman("budgets", "list", "--json").json
    assert [(each["scope"], each["limit_usd"], each["spent"]) for each in found] == [
        ("key:app", 2.5, 0), ("key:mine", 1.0, 0), ("team:search", 100.0, 0),
    ]  # fmt: skip
    assert "$2.5" in pointsman("budgets", "list").out


def test_looking_at_budgets_makes_no_state(pointsman, tmp_path):
    pointsman("budgets", "list")
    assert not (tmp_path / "journal" / "state.sqlite").exists()


@pytest.mark.parametrize("verb", ["create", "list", "show", "rotate", "revoke"])
def test_help_opens_with_two_examples(run, verb):
    assert run("keys", verb, "--help").out.partition("Options:")[0].count("\n    pointsman") >= 2
