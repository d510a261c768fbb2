"""The contour step around a stand-in network that says which slices it was given."""

import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.params import ContourParams
from napari_copnet.progress import Progress, finish
from napari_copnet.steps.contours import predict_contours, view_first
from napari_copnet.types import SliceResult


class Threshold:
    """Probability 1 where a pixel is above 0."""

    def __init__(self, dimensions=2):
        self.plan = type("Plan", (), {"dimensions": dimensions})
        self.order, self.settings, self.shape, self.closed = None, None, None, False

    def predict(self, images, *, mirror=False, overlap=0.5, batch=0, order=None):
        self.order, self.settings, self.shape = order, (mirror, overlap, batch), images.shape
        try:
            if self.plan.dimensions == 3:
                yield Progress("predict", 1, 1, "tiles")
                return (images[0] > 0).astype(np.float32)
            result = np.zeros((len(images), *images.shape[2:]), np.float32)
            for count, z in enumerate(order):
                result[z] = images[z, 0] > 0
                partial = SliceResult(z, result[z])
                yield Progress("predict", count + 1, len(order), "slices", partial=partial)
            return result
        finally:
            self.closed = True


STACK = np.linspace(-1, 1, 5 * 2 * 3, dtype=np.float32).reshape(5, 2, 3)


def test_slices_around_the_one_in_view_come_first():
    seen = []
    network = Threshold()
    result = finish(predict_contours(STACK, network, first=3), seen.append)
    assert [step.partial.index for step in seen] == [3, 4, 2, 1, 0]
    assert {step.step for step in seen} == {"contours"}
    np.testing.assert_array_equal(result, STACK > 0)
    assert result.dtype == np.float32


def test_blank_slices_are_skipped_and_have_probability_0():
    data = STACK.copy()
    data[4] = np.nan
    before = data.copy()
    network = Threshold()
    result = finish(predict_contours(data, network, skip=(4,)))
    assert 4 not in network.order and not result[4].any()
    np.testing.assert_array_equal(result[:4], STACK[:4] > 0)
    np.testing.assert_array_equal(data, before)


def test_a_3d_network_sees_the_stack_as_one_image():
    network = Threshold(3)
    result = finish(predict_contours(STACK, network, skip=(4,)))
    assert network.shape == (1, 5, 2, 3) and network.order is None
    assert not result[4].any() and result[3].all()


def test_settings_reach_the_network():
    network = Threshold()
    finish(predict_contours(STACK, network, ContourParams(mirror=True, overlap=0.25, batch=2)))
    assert network.settings == (True, 0.25, 2)


def test_cancelling_closes_the_prediction():
    network = Threshold()
    work = predict_contours(STACK, network)
    next(work)
    work.close()
    assert network.closed


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 4), (1, 2, 3, 4)])
def test_what_is_no_stack_is_refused(shape):
    with pytest.raises(InputError, match="axes"):
        next(predict_contours(np.zeros(shape, np.float32), Threshold()))


def test_view_first_with_the_view_outside_of_what_is_left():
    assert view_first([0, 1, 5], 9) == [5, 1, 0]


def test_padding_has_no_contour_in_slices_shown_nor_in_the_end():
    padding = np.zeros(STACK.shape, bool)
    padding[:, :, :2] = True
    plain = finish(predict_contours(STACK, Threshold()))
    seen = []
    result = finish(predict_contours(STACK, Threshold(), padding=padding), seen.append)
    np.testing.assert_array_equal(result, np.where(padding, 0, plain))
    shown = [p.partial for p in seen if p.partial is not None]
    assert len(shown) == len(STACK)
    for one in shown:
        np.testing.assert_array_equal(one.values, result[one.index])
    one_slice = finish(predict_contours(STACK, Threshold(), padding=padding[0]))
    np.testing.assert_array_equal(one_slice, result)


def test_padding_of_another_shape_is_refused():
    with pytest.raises(InputError, match="padding"):
        finish(predict_contours(STACK, Threshold(), padding=np.ones((3, 3), bool)))
