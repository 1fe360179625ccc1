"""The demonstration: a portfolio of embedded models, fresh cases, and what each way of answering
costs per accepted output."""
