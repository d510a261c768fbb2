"""Results, experiments and fits on public data; not part of what is installed.

Here the default models are trained (`default_models`), the classifier of likely gaps and the queue
are fitted (`fit_gap_classifier`, `fit_queue`), and the tables of docs/results.md and
docs/experiments.md are made (`results`, `experiments`). Which slices of a data set train, tune and
score stands in `splits`. The package knows nothing of this folder.
"""
