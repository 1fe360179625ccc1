"""The audit log: a Merkle tree over the journal, signed checkpoints, receipts checked offline."""

from pointsman.audit.anchoring import AnchorFailed, anchor
from pointsman.audit.log import DEFAULT_ORIGIN, AuditLog, Extension
from pointsman.audit.notes import Checkpoint, NoteError, parse_checkpoint, parse_notes
from pointsman.audit.receipts import (
    Receipt,
    Statement,
    consistency_between,
    make_receipt,
    parse_receipt,
    verify_receipt,
)
from pointsman.audit.signing import Signer, Verifier, new_signer, parse_private, read_signer
from pointsman.audit.verifying import AuditReport, verify_journal

__all__ = [
    "DEFAULT_ORIGIN",
    "AnchorFailed",
    "AuditLog",
    "AuditReport",
    "Checkpoint",
    "Extension",
    "NoteError",
    "Receipt",
    "Signer",
    "Statement",
    "Verifier",
    "anchor",
    "consistency_between",
    "make_receipt",
    "new_signer",
    "parse_checkpoint",
    "parse_notes",
    "parse_private",
    "parse_receipt",
    "read_signer",
    "verify_journal",
    "verify_receipt",
]
