"""Tables of cells: by slice, in 3D, and of neighbours, in physical units."""
