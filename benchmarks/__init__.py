"""Figures, each against its limit in the same run; the machine is shared, so ratios count."""
