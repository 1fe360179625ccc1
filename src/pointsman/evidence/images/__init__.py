"""Pictures: what they cost in tokens, made to fit, cleaned, redacted; read where OCR is there."""
