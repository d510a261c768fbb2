"""What is scored keeps its distance from what was learnt, and all ranges stand in one place."""

import ast
from pathlib import Path

import pytest

from napari_copnet.training.cases import MARGIN, split_slices
from napari_copnet.training.sources import parse_slices
from research import splits
from research.splits import DATA_SPLITS, FIB25, FIB25_FIRST_HALF, FIB25_SECOND_HALF, as_option

ROOT = Path(__file__).parent.parent.parent
FILES = sorted([*(ROOT / "research").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")])
# Writes ranges as text; each has to be one of those in splits.py.
WITH_TEXTS = {"default_sources.py", "default_models.py"}


def distance(first, second):
    return min(abs(a - b) for a in first for b in second)


@pytest.mark.parametrize("name", DATA_SPLITS)
def test_what_is_scored_lies_a_margin_from_what_was_learnt_or_tuned_on(name):
    split = DATA_SPLITS[name]
    assert split.validation
    for other in (split.train, split.tuning):
        if other and split.stacks is None:
            assert distance(other, split.validation) >= MARGIN
    if split.train and split.stacks is None:
        # The training's own check, which refuses what is too near.
        split_slices(list(split.train), list(split.validation))
    assert split.stacks is None or len(set(split.stacks)) == 2


def test_the_second_half_is_new_to_a_model_of_the_first():
    assert distance(FIB25_FIRST_HALF, FIB25_SECOND_HALF) >= MARGIN
    assert {*FIB25_FIRST_HALF, *FIB25_SECOND_HALF} <= set(FIB25.train)


def test_gaps_are_fitted_where_nothing_is_scored():
    for firsts, split in (
        (splits.FIB25_GAPS, FIB25),
        ([z for z, _, _ in splits.SNEMI3D_GAPS], splits.SNEMI3D),
        (splits.SNEMI3D_WHOLE_GAPS, splits.SNEMI3D),
    ):
        for first in firsts:
            assert distance(range(first, first + splits.GAP_DEPTH), split.validation) >= MARGIN


def test_the_queue_is_fitted_where_nothing_is_scored():
    for block in splits.QUEUE:
        assert distance(block, FIB25.validation) >= MARGIN


def test_ranges_are_written_as_options_read_them():
    for slices in (range(115), range(60, 115, 5), range(3, 4), range(0, 48, 16)):
        assert parse_slices(as_option(slices), 160) == list(slices)
    assert splits.in_words(range(0, 115, 10)) == "0–110"


def texts():
    """Return every range as text, also those of every part that has a name."""
    named = [value for value in vars(splits).values() if isinstance(value, range)]
    for split in DATA_SPLITS.values():
        named += [split.train, split.validation, split.tuning]
    return {as_option(slices) for slices in named if slices}


def written_out(path):
    """Yield slices that a file names itself: texts such as 0-114, numbers of long ranges."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg in {"slices", "validation"}:
            node = node.value
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and text[:1].isdigit():
                yield text
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple | ast.Constant):
            pair = ast.literal_eval(node.value) if _is_plain(node.value) else None
            for text in pair if isinstance(pair, tuple) else (pair,):
                if isinstance(text, str) and text.replace("-", "").isdigit() and "-" in text:
                    yield text
            if "VALIDATION" in ast.unparse(node.targets[0]) and isinstance(pair, tuple):
                yield f"{pair[0]}-{pair[1]}"


def _is_plain(node):
    return all(
        isinstance(part, ast.Constant | ast.Tuple | ast.Load | ast.UnaryOp | ast.USub)
        for part in ast.walk(node)
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_slices_of_its_own(path):
    found = set(written_out(path))
    if path.name in WITH_TEXTS:
        assert found <= texts()
    elif path.name != "splits.py":
        assert not found
