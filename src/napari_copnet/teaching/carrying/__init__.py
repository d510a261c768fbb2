"""Cells of annotated slices carried to the slices beside them, with or without a network.

`filters` says where contours seem to run, `motion` how a slice differs from the one before,
`regions` moves cells and settles their borders, `carry` goes from slice to slice, and `carried`
keeps in a project what came of it.
"""
