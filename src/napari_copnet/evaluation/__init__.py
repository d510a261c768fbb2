"""How good contours and cells are: scores, statistics, comparisons, and the pages that show them.

Scores are the paper's: cells labelled, merged and split by slice, surface Dice and centre-line
Dice, with what is not scored left out. On top of them stand the scores by iteration, the grid
search over degradations, the lengths of gaps and the report. `baselines` holds other ways of
closing to compare with.
"""
