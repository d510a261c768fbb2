"""Preprocessing: z-score, size, made shifts, blank slices, margins."""

import numpy as np
import pytest
from pystackreg import StackReg

from napari_copnet.errors import InputError
from napari_copnet.params import PreprocessParams
from napari_copnet.plane_size import processed_plane
from napari_copnet.progress import finish
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.steps.registration import align_shifts, pair_shift
from napari_copnet.types import Stack, VoxelSize

KEEP = PreprocessParams(size=0)


def blobs(side=96, seed=0):
    """A field of smooth blobs, larger than a slice, so that shifts bring in real content."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 3) * 100 + 50


def drifting(path, side=64):
    """Slices cut from one field: content of slice z lies at ``path[z]``."""
    field = blobs(side + 32)
    return np.stack([field[16 - y : 16 - y + side, 16 - x : 16 - x + side] for y, x in path])


PATH = np.array([(0, 0), (3, -2), (5, -6), (5, -6), (1, -1)])


def test_made_shifts_are_recovered():
    result = finish(preprocess(Stack(drifting(PATH)), KEEP))
    undone = result.frame.shifts + PATH
    np.testing.assert_array_equal(undone, np.broadcast_to(undone[0], undone.shape))
    shared = ~result.margin.any(axis=0)
    for image in result.data[1:]:
        assert np.corrcoef(image[shared], result.data[0][shared])[0, 1] > 0.999


def test_shifts_are_centred_and_whole():
    shifts = finish(preprocess(Stack(drifting(PATH)), KEEP)).frame.shifts
    np.testing.assert_array_equal(np.median(shifts, axis=0), 0)
    np.testing.assert_array_equal(shifts, np.round(shifts))


@pytest.mark.parametrize("fill", [0.0, 7.0, np.nan])
def test_a_blank_slice_is_skipped_and_noted(fill):
    images = np.insert(drifting(PATH), 2, fill, axis=0)
    result = finish(preprocess(Stack(images), KEEP))
    assert result.blank == (2,)
    assert any("Slice 2" in note for note in result.notes)
    undone = np.delete(result.frame.shifts, 2, axis=0) + PATH
    np.testing.assert_array_equal(undone, np.broadcast_to(undone[0], undone.shape))
    assert not result.data[2].any()


def test_margins_are_mirrored_and_marked():
    result = finish(preprocess(Stack(drifting(PATH)), KEEP))
    plain = finish(preprocess(Stack(drifting(PATH)), PreprocessParams(size=0, align=False)))
    for z, (dy, dx) in enumerate(result.frame.shifts.astype(int)):
        y, x = np.mgrid[:64, :64]
        inside = (y - dy >= 0) & (y - dy < 64) & (x - dx >= 0) & (x - dx < 64)
        np.testing.assert_array_equal(result.margin[z], ~inside)
        reference = np.pad(plain.data[z], 32, mode="symmetric")
        expected = reference[32 - dy : 96 - dy, 32 - dx : 96 - dx]
        np.testing.assert_array_equal(result.data[z], expected)
    assert result.margin.any()


def test_each_slice_is_z_scored():
    images = drifting(PATH) * np.array([1, 2, 3, 4, 5])[:, None, None] + 1000
    data = finish(preprocess(Stack(images), PreprocessParams(size=0, align=False))).data
    np.testing.assert_allclose(data.mean(axis=(1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(data.std(axis=(1, 2)), 1, atol=1e-4)
    assert data.dtype == np.float32


def test_brightness_does_not_disturb_alignment_without_normalising():
    images = drifting(PATH) * np.array([1, 2, 0.5, 4, 1])[:, None, None]
    result = finish(preprocess(Stack(images), PreprocessParams(size=0, normalise=False)))
    undone = result.frame.shifts + PATH
    np.testing.assert_array_equal(undone, np.broadcast_to(undone[0], undone.shape))


def test_longer_side_becomes_the_size_and_voxels_grow():
    stack = Stack(np.random.default_rng(0).normal(size=(2, 40, 80)), VoxelSize(0.1, 0.01, 0.02))
    result = finish(preprocess(stack, PreprocessParams(size=40)))
    assert result.data.shape == (2, 20, 40)
    assert result.voxel_size == pytest.approx((0.1, 0.02, 0.04))
    assert result.frame.original_shape == (2, 40, 80)


def test_unknown_voxel_size_stays_unknown():
    result = finish(preprocess(Stack(blobs()[None]), PreprocessParams(size=50)))
    assert result.voxel_size == VoxelSize(None, None, None)


def test_shrinking_does_not_alias():
    stripes = np.zeros((1, 64, 64))
    stripes[:, :, ::2] = 1
    stripes[:, :8] = 5
    data = finish(preprocess(Stack(stripes), PreprocessParams(size=24, normalise=False))).data
    assert np.ptp(data[0, 8:, 4:-4]) < 0.2


def test_time_stacks_and_single_slices_are_not_aligned():
    film = finish(preprocess(Stack(drifting(PATH), axes="tyx"), KEEP))
    assert not film.frame.shifts.any() and not film.margin.any()
    assert finish(preprocess(Stack(drifting(PATH)[:1]), KEEP)).frame.is_identity


def test_a_shift_too_large_to_be_true_is_ignored():
    path = [(0, 0), (0, 0), (12, 0), (12, 0)]
    result = finish(preprocess(Stack(drifting(path)), PreprocessParams(size=0, max_shift=0.1)))
    assert not result.frame.shifts.any()
    assert any("implausibly large" in note for note in result.notes)


def test_a_registration_that_makes_slices_less_alike_is_ignored(monkeypatch):
    wrong = np.array([[1.0, 0, 5], [0, 1, 5], [0, 0, 1]])
    monkeypatch.setattr(StackReg, "register", lambda self, ref, mov: wrong)
    before, image = drifting([(0, 0), (1, 0)])
    shift, note = pair_shift(before, image, (64, 64), 0.1, 1)
    assert shift == (0, 0) and "no shift improves the match" in note


def test_steady_shifts_below_a_pixel_do_not_add_up_to_a_drift():
    creeping = np.tile([0.4, -0.7], (100, 1))
    shifts, note = align_shifts(creeping, (100, 64, 64), (64, 64))
    assert not shifts.any() and note == ""
    creeping[50] = (6, 0)
    shifts, _ = align_shifts(creeping, (100, 64, 64), (64, 64))
    assert np.ptp(shifts[:, 0]) == 6 and np.ptp(shifts[:, 1]) == 0


def test_a_large_drift_is_told():
    shifts, note = align_shifts(np.tile([2.0, 0.0], (10, 1)), (10, 64, 64), (64, 64))
    assert np.ptp(shifts[:, 0]) == 18 and "18 px in y" in note


def test_slices_are_read_one_at_a_time_and_left_as_they_are():
    class Lazy:
        shape = (5, 64, 64)
        dtype = np.dtype(float)
        values = drifting(PATH)

        def __getitem__(self, z):
            assert isinstance(z, int)
            return self.values[z]

    before = Lazy.values.copy()
    done = [p.done for p in preprocess(Stack(Lazy()), KEEP)]
    assert done[:5] == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(Lazy.values, before)


def test_some_nan_pixels_stop_with_the_slice_named():
    images = drifting(PATH)
    images[3, 5, 5] = np.nan
    with pytest.raises(InputError, match=r"Slice 3.*repair"):
        finish(preprocess(Stack(images), KEEP))


@pytest.mark.parametrize("shape", [(0, 8, 8), (3, 0, 8), (3, 8, 1)])
def test_too_small_slices_are_refused(shape):
    with pytest.raises(InputError, match="at least 2 pixels"):
        finish(preprocess(Stack(np.ones(shape)), KEEP))


def tissue(path=PATH, side=96, seed=0):
    """Slices of a moving field with the noise of a microscope, 8 bits."""
    rng = np.random.default_rng(seed)
    field = blobs(side + 32, seed)
    field = 130 + 40 * (field - field.mean()) / field.std()
    cut = [field[16 - y : 16 - y + side, 16 - x : 16 - x + side] for y, x in path]
    return np.clip(np.stack(cut) + rng.normal(0, 8, (len(cut), side, side)), 2, 253).round()


def framed(images, value, widths):
    """The same slices with a border of one value, as wide as `widths` says, slice by slice."""
    out, border = images.copy(), np.ones(images.shape, bool)
    for z, (top, bottom, left, right) in enumerate(widths):
        border[z, top : images.shape[1] - bottom, left : images.shape[2] - right] = False
    out[border] = value
    return out, border


WIDTHS = [(12, 9, 0, 14), (10, 0, 15, 11), (0, 0, 0, 0), (20, 8, 10, 10), (9, 12, 12, 0)]
FIXED = PreprocessParams(size=0, align=False)


@pytest.mark.parametrize("value", [0, 130, 255])
def test_padding_is_found_masked_filled_and_not_scored(value):
    images = tissue()
    padded, border = framed(images, value, WIDTHS)
    result = finish(preprocess(Stack(padded), FIXED))
    np.testing.assert_array_equal(result.padding, border)
    np.testing.assert_array_equal(result.margin, border)
    for z in range(5):
        np.testing.assert_array_equal(
            result.original_padding(z), border[z] if border[z].any() else None
        )
        tissue_part = result.data[z][~border[z]]
        assert tissue_part.mean() == pytest.approx(0, abs=1e-4)
        assert tissue_part.std() == pytest.approx(1, abs=1e-4)
        assert np.abs(result.data[z]).max() < 5
    assert any("padding" in note for note in result.notes)


def test_without_padding_or_hot_pixels_slices_are_what_they_were():
    images = tissue()
    result = finish(preprocess(Stack(images), FIXED))
    assert result.padding is None and result.padding_bits is None
    for z, image in enumerate(images.astype(np.float32)):
        mean, deviation = image.mean(dtype=np.float64), image.std(dtype=np.float64)
        expected = ((image - mean) / deviation).astype(np.float32)
        np.testing.assert_array_equal(result.data[z], expected)
    off = finish(preprocess(Stack(images), PreprocessParams(size=0, padding=False)))
    on = finish(preprocess(Stack(images), PreprocessParams(size=0)))
    np.testing.assert_array_equal(on.data, off.data)
    np.testing.assert_array_equal(on.frame.shifts, off.frame.shifts)


def test_padding_can_be_left_alone():
    padded, _ = framed(tissue(), 0, WIDTHS)
    result = finish(preprocess(Stack(padded), PreprocessParams(size=0, align=False, padding=False)))
    assert result.padding is None and not result.margin.any()


def test_alignment_does_not_lock_on_to_padding():
    path = np.array([(0, 0), (4, -3), (1, 2), (-3, 4), (0, -2)])
    # The border stays where it is while the tissue moves behind it.
    padded, _ = framed(tissue(path), 0, [(14, 14, 14, 14)] * 5)
    shifts = finish(preprocess(Stack(padded), KEEP)).frame.shifts
    undone = shifts + path
    assert np.abs(undone - np.median(undone, axis=0)).max() <= 1


def test_padding_moves_with_its_slice():
    padded, border = framed(tissue(), 0, [(12, 12, 12, 12)] * 5)
    result = finish(preprocess(Stack(padded), KEEP))
    assert np.any(result.frame.shifts)
    for z, (dy, dx) in enumerate(result.frame.shifts.astype(int)):
        moved = np.zeros_like(border[z])
        y, x = np.nonzero(border[z])
        inside = (y + dy >= 0) & (y + dy < 96) & (x + dx >= 0) & (x + dx < 96)
        moved[(y + dy)[inside], (x + dx)[inside]] = True
        np.testing.assert_array_equal(result.padding[z], moved)
        assert result.margin[z][moved].all()


def test_inverted_slices_are_the_negative():
    plain = finish(preprocess(Stack(tissue()), PreprocessParams(size=0, invert="no")))
    turned = finish(preprocess(Stack(255 - tissue()), PreprocessParams(size=0, invert="yes")))
    np.testing.assert_allclose(turned.data, plain.data, atol=1e-5)
    assert turned.inverted and not plain.inverted
    # Without the network there is nobody to ask.
    assert not finish(preprocess(Stack(tissue()), KEEP)).inverted


@pytest.mark.parametrize(
    ("plane", "size", "seen"),
    [
        ((400, 800), 512, (256, 512)),
        ((200, 6000), 512, (200, 6000)),
        ((6000, 200), 512, (6000, 200)),
        ((1000, 6000), 512, (256, 1536)),
        ((100, 250), 512, (205, 512)),
        ((200, 6000), 0, (200, 6000)),
    ],
)
def test_strips_keep_their_shorter_side(plane, size, seen):
    assert processed_plane(plane, size) == seen


def test_a_strip_is_told():
    image = np.random.default_rng(0).normal(size=(1, 40, 400))
    result = finish(preprocess(Stack(image), PreprocessParams(size=100)))
    assert result.data.shape == (1, 40, 400)
    assert any("strips" in note for note in result.notes)
