"""Baselines of the closing network on the same input, each tuned on training slices only.

From a threshold and morphological closing to watersheds, Chen's network and Cellpose: each is a
`Baseline` that is tuned on one block of slices with truth and applied to another. `registry` lists
them, `comparison` runs and scores them beside Step 1.
"""
