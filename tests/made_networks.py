"""Small networks with seeded random weights, and the files nnU-Net would keep them in."""

import json

import numpy as np
import torch

from napari_copnet.networks.nnunet import build_network
from napari_copnet.networks.plan import plan_from_nnunet


def nnunet_plans(dimensions=2, normalisation="ZScoreNormalization", channels=1, residual=False):
    """Return (plans, dataset, configuration) as nnU-Net writes them, for a small network."""
    stages = 3
    name = "ResidualEncoderUNet" if residual else "PlainConvUNet"
    patch = [32, 32] if dimensions == 2 else [8, 16, 16]
    configuration = "2d" if dimensions == 2 else "3d_fullres"
    resample = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    architecture = {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": [4, 8, 16],
            "conv_op": f"torch.nn.modules.conv.Conv{dimensions}d",
            "kernel_sizes": [[3] * dimensions] * stages,
            "strides": [[1] * dimensions] + [[2] * dimensions] * (stages - 1),
            ("n_blocks_per_stage" if residual else "n_conv_per_stage"): [2] * stages,
            "n_conv_per_stage_decoder": [2] * (stages - 1),
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    plans = {
        "dataset_name": "Dataset001_Made",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "original_median_shape_after_transp": [8, 40, 40],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(index): {} for index in range(channels)
        },
        "configurations": {
            configuration: {
                "data_identifier": "nnUNetPlans",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": patch,
                "median_image_size_in_voxels": patch,
                "spacing": [1.0] * dimensions,
                "normalization_schemes": [normalisation] * channels,
                "use_mask_for_norm": [False] * channels,
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": {**resample, "order": 3},
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_seg_kwargs": {**resample, "is_seg": True},
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": resample,
                "architecture": architecture,
                "batch_dice": True,
            }
        },
    }
    dataset = {
        "channel_names": {str(index): "grey" for index in range(channels)},
        "labels": {"background": 0, "contour": 1},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    return plans, dataset, configuration


def made_plan(dimensions=2, **options):
    plans, dataset, configuration = nnunet_plans(dimensions, **options)
    return plan_from_nnunet(plans, configuration, dataset)


def made_network(plan, seed=0):
    """Return a network with random weights whose masks have both classes."""
    torch.manual_seed(seed)
    module = build_network(plan)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim == 1:
                weight.add_(0.2 * torch.randn_like(weight))
            else:
                weight.mul_(3)
    return module.eval()


def weights_of(module):
    return {name: weight.detach().numpy().copy() for name, weight in module.named_parameters()}


def write_nnunet_folder(folder, plans, dataset, configuration, module, **checkpoint):
    """Write a result folder as nnU-Net's trainer does."""
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    content = {
        "network_weights": module.state_dict(),
        "optimizer_state": {},
        "grad_scaler_state": None,
        "logging": {"ema_fg_dice": [np.float64(0.5), np.float32(0.25)]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 1,
        "init_args": {"configuration": configuration, "fold": 0},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
        **checkpoint,
    }
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")
    return folder


def teachable_model(tiny, folder, kind="contours"):
    """Write a tiny model of three stages: nnU-Net's loss wants two outputs of a decoder or more.

    Parameters
    ----------
    tiny : Path
        Folder of a model of `tiny_models`.
    folder : Path
        To write; its name is the model's.
    """
    import dataclasses

    from napari_copnet.networks.package import load_package, save_package

    plan = dataclasses.replace(
        load_package(tiny).plan,
        features_per_stage=(4, 8, 8),
        kernel_sizes=((3, 3),) * 3,
        strides=((1, 1), (2, 2), (2, 2)),
        n_conv_per_stage=(1, 1, 1),
        n_conv_per_stage_decoder=(1, 1),
    )
    torch.manual_seed(0)
    weights = {
        name: value.detach().numpy() for name, value in build_network(plan).named_parameters()
    }
    return save_package(folder, name=folder.name, kind=kind, plan=plan, weights=weights, card={})
