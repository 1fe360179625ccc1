"""Where telemetry is sent, as a file says it."""

import pytest

from pointsman.config import parse
from pointsman.config.showing import show
from pointsman.domain.errors import ConfigurationError

BASE = "deployments: {a: {model: m, base_url: 'http://x/v1', price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}\n"  # noqa: E501


@pytest.mark.parametrize(
    "url", ["http://c:4318", "https://otel.example/otlp/", "http://[::1]:4318", "http://10.0.0.1"]
)
def test_the_address_of_a_collector_survives_being_shown(url):
    config = parse(BASE + f"telemetry: {{otlp_endpoint: '{url}', sample: 0.25}}")
    assert config.telemetry.otlp_endpoint == url
    again = parse(show(config, with_defaults=False))
    assert (again.telemetry, again.digest) == (config.telemetry, config.digest)


@pytest.mark.parametrize(
    "url",
    [
        "collector:4318", "grpc://c:4317", "http://", "http://me:hunter2@c:4318",
        "http://c:4318?token=hunter2", "http://c:4318#hunter2", "http://c:port", "http://c\n:1",
        "http://c:4318/ hunter2",
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_has_credentials_is_refused_and_not_repeated(url):
    written = url.replace("\n", "\\n")
    with pytest.raises(ConfigurationError) as caught:
        parse(BASE + f'telemetry: {{otlp_endpoint: "{written}"}}')
    assert "telemetry.otlp_endpoint" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["{sample: 1.5}", "{sample: -1}", "{metrics_every_s: 0}", "{endpoint: 'http://c'}"]
)
def test_settings_out_of_their_range_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        parse(BASE + f"telemetry: {wrong}")


def test_the_log_is_text_unless_said_otherwise():
    assert parse(BASE).server.logs == "text"
    assert parse(BASE + "server: {logs: json}").server.logs == "json"
    with pytest.raises(ConfigurationError):
        parse(BASE + "server: {logs: xml}")
