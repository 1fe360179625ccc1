"""What came of the requests: acceptance, cost per accepted output, comparisons, as tables."""
