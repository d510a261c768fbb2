"""The napari plugin: docks, readers, writers, samples and menu commands.

Only here are napari, Qt and magicgui imported, and nothing outside imports from here. Each dock has
a folder of its own (`workflow`, `iterations`, `proofreading`, `training`, `simulation`); they share
`widgets`, `viewer`, `background` and `napari_compat`. What docks compute is done by the packages
beside this one, in threads, as generators of `Progress`.
"""
