"""The steps of a run, each a function of arrays that yields `Progress` and returns its result.

Preprocess, contours (Step 1), closing (Step 2, COp-Net) and cells, the linking of cells through the
stack, and the way between the frame of the stack and that of the networks. `pipeline` puts them in
order; none of them reads or writes files.
"""
