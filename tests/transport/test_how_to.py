"""Every configuration that the how-to pages on the wire show is one that loads."""

import re
from pathlib import Path

import pytest

from pointsman.config import parse

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "tls-and-proxies.md"
ENV = dict.fromkeys(("APP_KEY", "WEB_KEY", "PROXY_USER", "PROXY_PASSWORD"), "secret")


@pytest.mark.parametrize("text", re.findall(r"```ya?ml\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_every_configuration_shown_loads(text: str) -> None:
    assert parse(text, env=ENV).deployments
