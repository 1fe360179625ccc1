"""Limits in the file: money exact and above zero, teams known, everything shown again."""

import pytest

from pointsman.config import parse, show
from pointsman.config.remarks import remarks
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.limits import Allowance

BASE = """\
deployments:
  small:
    model: s
    base_url: http://h/v1
    price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}
    limits: {max_output_tokens: 10}
tasks: {work: {}}
"""
WHOLE = (
    BASE
    + """\
keys:
  app:
    key: secret
    team: search
    tasks: [work]
    models: [small]
    limits: {requests_per_minute: 60, tokens_per_minute: 90000, concurrency: 4, usd_per_day: 2.5,
      usd_per_month: 40}
  plain: {key: other}
teams:
  search: {tenant: acme, limits: {usd_per_month: 100}}
tenants:
  acme: {limits: {usd_per_day: 0.000001}}
virtual_keys: {enabled: true, fresh_s: 2}
budgets: {lease_s: 3, wait_s: 0}
state: {counters: "redis://me:hunter2@redis.example:6379/1"}
"""
)


def test_limits_are_read_exactly():
    config = parse(WHOLE)
    app, plain = config.keys
    assert app.limits == Allowance(
        requests_per_minute=60, tokens_per_minute=90_000, concurrency=4,
        day_usd_picos=2_500_000_000_000, month_usd_picos=40_000_000_000_000,
    )  # fmt: skip
    assert app.tenant == "acme", "its team's"
    assert [scope.name for scope in config.bounds_of(app).scopes] == [
        "key:app", "team:search", "tenant:acme",
    ]  # fmt: skip
    assert config.tenants["acme"].day_usd_picos == 1_000_000
    assert config.bounds_of(plain) is None, "nothing bounds it: it costs nothing to let in"


@pytest.mark.parametrize("with_defaults", [False, True])
def test_what_is_shown_loads_to_the_same_and_hides_the_password(with_defaults):
    config = parse(WHOLE)
    shown = show(config, with_defaults=with_defaults)
    assert "hunter2" not in shown
    again = parse(
        shown.replace('"***"', "secret", 1).replace('"***"', "other", 1).replace("***", "x")
    )
    for name in ("keys", "teams", "tenants", "virtual_keys", "budgets", "digest"):
        assert getattr(again, name) == getattr(config, name) or name in ("keys", "digest")
    assert [key.limits for key in again.keys] == [key.limits for key in config.keys]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keys: {a: {key: k, limits: {usd_per_day: 0}}}", "more than 0"),
        ("keys: {a: {key: k, limits: {usd_per_day: -5}}}", "more than 0"),
        ("keys: {a: {key: k, limits: {usd_per_month: 1000001}}}", "at most 1000000"),
        ("keys: {a: {key: k, limits: {usd_per_day: 0.0000001}}}", "finer"),
        ("keys: {a: {key: k, limits: {requests_per_minute: 0}}}", "at least 1"),
        ("keys: {a: {key: k, limits: {concurrency: -1}}}", "at least 1"),
        ("keys: {a: {key: k, limits: {usd_per_week: 1}}}", "unknown key"),
        ("keys: {a: {key: k, team: nosuch}}", "no team"),
        ("keys: {a: {key: k, models: [nosuch]}}", "no deployment or route"),
        ("teams: {t: {tenant: x}}\nkeys: {a: {key: k, team: t, tenant: y}}", "another tenant"),
        ("tenants: {acme: {limits: {usd_per_day: 0}}}", "more than 0"),
        ("state: {counters: 'http://h'}", "wants redis://"),
        ("state: {counters: 'redis://h/nodb'}", "a number"),
        ("state: {counters: 'redis://h/0?ssl=no'}", "no options"),
        ("state: {counters: '***'}", "hidden secret"),
        ("budgets: {lease_s: 0}", "at least"),
        ("virtual_keys: {fresh_s: 1000}", "at most"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(line, said):
    with pytest.raises(ConfigurationError) as caught:
        parse(BASE + line + "\n")
    assert said in str(caught.value)


def test_a_budget_beside_an_answer_without_a_price_is_remarked_on():
    text = BASE.replace("    price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}\n", "")
    text += "keys: {a: {key: k, limits: {usd_per_day: 1}}}\n"
    assert any("no price" in each and "budget" in each for each in remarks(parse(text)))


def test_a_budget_without_a_bound_on_answers_is_remarked_on():
    text = BASE.replace("    limits: {max_output_tokens: 10}\n", "")
    text += "teams: {t: {limits: {usd_per_day: 1}}}\n"
    (said,) = (each for each in remarks(parse(text)) if "max_output_tokens" in each)
    assert "deployments.small" in said
    assert not [each for each in remarks(parse(BASE)) if "max_output_tokens" in each]
