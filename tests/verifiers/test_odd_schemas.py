"""Schemas that a library stumbles over are the configuration's fault, and said to be."""

import pytest

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import VerifierSpec
from pointsman.verifiers import compile_verifier


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/items/0", "items": True},
        {"foo": 5, "$ref": "#/foo"},
        {"foo": {"$ref": 5}, "$ref": "#/foo"},
        {"foo": {"type": "nonsense"}, "$ref": "#/foo"},
        {"foo": {"$ref": "http://127.0.0.1:1/"}, "$ref": "#/foo"},
    ],
)
def test_an_odd_schema_is_a_configuration_error_that_names_the_verifier(schema):
    with pytest.raises(ConfigurationError, match="verifier 'shape'"):
        compile_verifier(VerifierSpec(name="shape", kind="json_schema", spec=schema))
