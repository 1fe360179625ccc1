"""Doubt as a library: intervals for rates, quantiles and cost per accepted; values in and out."""
