"""The panel that measures cells: tables, histograms, colours, and edits of many cells at once."""
