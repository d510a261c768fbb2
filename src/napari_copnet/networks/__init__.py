"""Networks: model folders, what they are built of, how they predict, and where they come from.

A model is a folder with a description and plain numbers; nothing in it is run. `nnunet` predicts by
a sliding window on whatever device there is, `cpu_unet` with kernels of our own on a CPU. Models
come from `shipped`, from a training, or from elsewhere by `import_model`. Torch is loaded when a
network is.
"""
