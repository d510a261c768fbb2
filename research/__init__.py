"""Tables and figures of docs/results.md, rebuilt from public data: see `__main__`."""
