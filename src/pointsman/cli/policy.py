"""`pointsman policy`: rules on what may be said, and the detectors they ask."""

import click

from pointsman.cli.policy_calibrate import calibrate
from pointsman.cli.policy_files import lint, schema, test
from pointsman.cli.policy_pack import pack
from pointsman.cli.policy_scan import scan
from pointsman.cli.policy_traffic import explain, replay

_EXAMPLES = """\b
Examples:
  pointsman policy test policies/*.yaml
  pointsman policy replay policies/health.yaml --hours 24
  pointsman policy calibrate --detector injection --in ours.jsonl --fpr 0.01
  pointsman policy scan --detector pii --in answers.jsonl --out found.jsonl
"""


@click.group(help="Rules on what may be said, and the detectors they ask.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


for each in (test, lint, explain, replay, scan, calibrate, pack, schema):
    command.add_command(each)
