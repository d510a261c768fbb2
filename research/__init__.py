"""Results, experiments and fits on public data; not part of what is installed."""
