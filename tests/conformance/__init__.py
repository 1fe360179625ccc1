"""What any OpenAI-compatible gateway must do with any upstream and any client, as a table.

`python -m tests.conformance --url http://host:port/v1` examines a gateway whose configuration
points at the suite's own upstream; see docs/how-to/examine-a-gateway.md.
"""
