"""People label traffic: drawn with known chances, shown without the judge's word, written down."""
