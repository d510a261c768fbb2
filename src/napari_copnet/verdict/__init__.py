"""Whether the cells of a run can be trusted, judged without knowing the true ones."""
