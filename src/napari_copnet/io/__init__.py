"""Files of image stacks, read and written: TIFF, OME-Zarr, NIfTI, MRC, folders of slices.

Whatever a file calls its axes, what comes out is a `Stack` with axes (Z, Y, X) and the sizes that
the file states, none invented; what a file leaves open is asked, not guessed. Large stacks stay on
the disk. Damaged files end in a sentence, and files are written whole or not at all.
"""
