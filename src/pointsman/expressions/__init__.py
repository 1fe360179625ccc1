"""A subset of CEL, parsed by ourselves and compiled to closures; imports nothing of ours.

Left out of the language: `uint` and `bytes`, timestamps and durations, messages, triple quotes,
maps with keys other than strings. Kept as CEL has it: no arithmetic between int and double, but
comparison across them; 64-bit integers that overflow as errors; `&&` and `||` that absorb an
error of one side when the other decides.
"""

from pointsman.expressions.compiling import Expression, compile_expression
from pointsman.expressions.errors import EvaluationError, ExpressionError

__all__ = ["EvaluationError", "Expression", "ExpressionError", "compile_expression"]
