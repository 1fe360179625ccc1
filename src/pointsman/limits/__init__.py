"""Limits as arithmetic: buckets, periods, bounds, the ledger of a budget; nothing waits here."""
