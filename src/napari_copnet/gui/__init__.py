"""The napari plugin: one dock, readers, writers, samples and menu commands.

Only here are napari, Qt and magicgui imported, and nothing outside imports from here. `stages` has
the one dock; the panels in it have folders of their own (`workflow`, `iterations`, `proofreading`,
`training`, `simulation`), and share `widgets`, `viewer`, `background` and `napari_compat`. What
panels compute is done by the packages beside this one, in threads, as generators of `Progress`.
"""
