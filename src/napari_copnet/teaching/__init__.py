"""Corrections teach the networks: annotation projects, fine-tuning, comparison, and the gallery.

A project is a session of which some slices are chosen, annotated, checked and done. Those slices
fine-tune a model, which is compared with the one before on slices that neither has learnt from, and
adopted or handed on (as a zip, for nnU-Net, for the BioImage Model Zoo).
"""
