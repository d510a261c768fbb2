"""The tables of the grid: a row for each network, the mean over all other stacks."""

from research.paper_grid import document


def scores(labelled, split):
    return {"labelled": labelled, "merged": 0.1, "split": split, "nsd": 0.8, "cldice": 0.7}


def test_a_row_for_each_network_and_the_mean_of_other_stacks():
    points = [
        {"diffusion_disks": n1, "absorption_disks": 10, **scores(0.4, 0.3), "steps": 5,
         "iterations": 2, "model": f"m{n1}"}
        for n1 in (0, 6)
    ]  # fmt: skip
    others = {
        "cortex, slices 0-9": {"Step 1": scores(0.2, 0.1), "m0": scores(0.3, 0.1),
                               "m6": scores(0.5, 0.2)},
        "platelets, image 1": {"Step 1": scores(0.4, 0.3), "m0": scores(0.4, 0.3),
                               "m6": scores(0.3, 0.4)},
    }  # fmt: skip
    text = document(points, scores(0.35, 0.2), others)
    assert "| Step 1 alone | | 35.0 / 10.0 / 20.0 / 80.0 / 70.0 | | |" in text
    assert "| 6 | 10 | 40.0 / 10.0 / 30.0 / 80.0 / 70.0 | 5 | 2 |" in text
    assert "| N1 | N2 | cortex | platelets | mean | NSD / clDice |" in text
    assert "| Step 1 alone | | 20.0 / 10.0 | 40.0 / 30.0 | 30.0 / 20.0 | 80.0 / 70.0 |" in text
    assert "| 0 | 10 | 30.0 / 10.0 | 40.0 / 30.0 | 35.0 / 20.0 | 80.0 / 70.0 |" in text
    assert "| 6 | 10 | 50.0 / 20.0 | 30.0 / 40.0 | 40.0 / 30.0 | 80.0 / 70.0 |" in text
