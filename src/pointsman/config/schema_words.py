"""The words that mappings of a pointsman.yaml are made of: names, times, counts; what is closed."""

from typing import Annotated

import msgspec
from msgspec import Meta

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,63}"
ALIAS_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}"

Name = Annotated[
    str, Meta(pattern=NAME_PATTERN, description="a-z, 0-9, dot, dash and underscore; at most 64")
]
# An alias is a word of the clients': `gpt-4o`, `Qwen/Qwen3-4B`.
AliasName = Annotated[
    str,
    Meta(
        pattern=ALIAS_PATTERN,
        description="letters, digits and . _ - : /; at most 128",
    ),
]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Logprob = Annotated[float, Meta(le=0)]
Count = Annotated[int, Meta(ge=1, le=2**31)]
Text = Annotated[str, Meta(min_length=1)]
SegmentKey = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every mapping of the file is: its keys are its fields, and no others."""
