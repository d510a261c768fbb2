"""A second run shows its results where the first run's were."""


def test_cells_of_a_second_run_take_the_place_of_the_first(make_panel, click, ended):
    viewer, panel = make_panel()
    click(panel.run_controls.run_button)
    ended(panel)
    layers = panel.source.layers
    first = layers.layer("cells")
    assert first.data.any()
    panel.sections["cells"].form.rows["min_size"].value = 100000  # larger than any cell
    click(panel.run_controls.run_button)
    ended(panel)
    second = layers.layer("cells")
    assert second is not None and second is not first
    assert not second.data.any()
    assert [layer.name for layer in viewer.layers].count("cells in a cross: cells") == 1
    assert not layers.notes


def test_the_slider_reaches_the_iterations_of_a_longer_second_run(make_panel, click, ended, models):
    viewer, panel = make_panel()
    passes = iter(range(10000))

    def restless(image):
        image = image.copy()
        image[next(passes) // 4 % 20] = 1
        return image

    models.networks["closing"].transform = restless
    most = panel.sections["closing"].form.rows["max_iterations"]
    most.value = 1
    click(panel.run_controls.run_button)
    ended(panel)
    most.value = 4
    click(panel.run_controls.run_button)
    ended(panel)
    layer = panel.source.layers.layer("iterations")
    assert layer.data.shape[0] == 5
    assert viewer.dims.nsteps[viewer.dims.ndim - 4] == 5
    assert not layer.visible and panel.source.layers.layer("closed").visible


def test_ends_of_stages_are_shown_one_at_a_time_and_all(qtbot):
    from napari_copnet.gui.background.jobs import Job
    from napari_copnet.progress import Progress

    def work():
        for name in ("contours", "closing", "cells"):
            yield Progress(name, 1, 2, "slices", partial="a slice")
            yield Progress(name, 1, 1, partial="a stack")

    news = []
    job = Job(work)
    job.progressed.connect(news.append)
    with qtbot.waitSignal(job.finished):
        job.start()
    shown = [[progress.partial for progress in each] for each in news]
    assert all(each.count("a stack") <= 1 for each in shown)
    assert [what for each in shown for what in each] == ["a slice", "a stack"] * 3
