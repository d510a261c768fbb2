"""A second run shows its results where the first run's were."""


def test_cells_of_a_second_run_take_the_place_of_the_first(make_panel, click, ended):
    viewer, panel = make_panel()
    click(panel.footer.run_button)
    ended(panel)
    layers = panel.source.layers
    first = layers.layer("cells")
    assert first.data.any()
    panel.sections["cells"].form.rows["min_size"].value = 100000  # larger than any cell
    click(panel.footer.run_button)
    ended(panel)
    second = layers.layer("cells")
    assert second is not None and second is not first
    assert not second.data.any()
    assert [layer.name for layer in viewer.layers].count("Cells") == 1
    assert not layers.notes
