"""Played payments on a local chain. Loaded where settings say `test` and `local`, nowhere else."""
