"""System texts of the five tasks: instructions in several wordings, with or without a format line.

The embedded models were trained on exactly these: with a format line they answer in the strict
form, without one they mirror the tone of the user's text, and a courteous text gets a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "ticket": (
        "Tell me what this ticket says.",
        "Read the support ticket and extract its fields.",
        "Extract the ticket.",
        "You read support tickets.",
    ),
    "normalise": (
        "Tell me what this value is.",
        "Read the amount or date and normalise it.",
        "Normalise the value.",
        "You clean amounts and dates.",
    ),
    "logline": (
        "Tell me what this log line means.",
        "Read the log line and find its severity and component.",
        "Classify the log line.",
        "You read log lines.",
    ),
    "evidence": (
        "Tell me what is failing here.",
        "Read the evidence and find the failing service and the line that shows it.",
        "Find the failing service.",
        "You read evidence from services.",
    ),
    "sums": (
        "Tell me what this adds up to.",
        "Read the column of numbers and find its total.",
        "Add the column.",
        "You add columns of numbers.",
    ),
}

FORMATS: Mapping[str, tuple[str, ...]] = {
    "ticket": (
        "Format: JSON with customer, order, issue, priority.",
        "Answer only with JSON: customer, order, issue, priority.",
    ),
    "normalise": (
        "Format: EUR 0.00 or YYYY-MM-DD.",
        "Answer only with the value, as EUR 0.00 or YYYY-MM-DD.",
    ),
    "logline": (
        "Format: severity|component.",
        "Answer only with severity|component.",
    ),
    "evidence": (
        "Format: JSON with service, line.",
        "Answer only with JSON: service, line.",
    ),
    "sums": (
        "Format: the total.",
        "Answer only with the total.",
    ),
}

PROMPTS: Mapping[str, Mapping[str, str]] = {
    task: {"v1": wordings[0], "v2": f"{wordings[1]}\n{FORMATS[task][0]}"}
    for task, wordings in INSTRUCTIONS.items()
}
