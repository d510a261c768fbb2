"""Files made to harm: they claim to be huge, lead elsewhere, or speak to terminals and tables."""

import bz2
import csv
import gzip
import io
import json
import os
import sqlite3
import struct
import zipfile
import zlib
from contextlib import closing

import numpy as np
import pytest
import tifffile
import torch
from trust_inputs import SHAPE, contour_of, write_run

from made_networks import made_network, made_plan, nnunet_plans, write_nnunet_folder
from napari_copnet.errors import CopnetError, InputError, ModelError
from napari_copnet.evaluation.score_tables import write_rows
from napari_copnet.files import whole_file
from napari_copnet.folders import whole_folder
from napari_copnet.foreign_text import as_markdown, plain_cell, printable
from napari_copnet.inflate import inflated
from napari_copnet.io.read import read_stack
from napari_copnet.networks.import_nnunet import import_nnunet
from napari_copnet.networks.model_zip import import_zip
from napari_copnet.networks.plan import plan_from_nnunet
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.packing import from_bytes, to_bytes
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.store.folder import is_store
from napari_copnet.zarr_folder import unpacks_to_more

unix = pytest.mark.skipif(os.name == "nt", reason="links, pipes and rights are others there")
BOMB = zlib.compress(b"\0" * (64 << 20), 9)


def peak(work):
    """Return the megabytes that Python's allocations took at most while an error was made."""
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(CopnetError):
            work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


# What claims to be huge ------------------------------------------------------


def test_packed_bytes_are_unpacked_no_further_than_they_should_be():
    assert inflated(zlib.compress(b"ab"), 2) == b"ab"
    for data in (BOMB, zlib.compress(b"ab")[:-1], b"no"):
        with pytest.raises(zlib.error):
            inflated(data, 1)


def test_an_edit_is_unpacked_bit_by_bit():
    mask = np.random.default_rng(0).random((9, 11)) < 0.5
    edit = Edit("dots", (Flip("contour", Patch.of(1, mask)), Flip("vessel", Patch.of(0, mask))))
    data = to_bytes(edit)
    assert from_bytes(data) == edit
    for cut in range(len(data)):
        with pytest.raises(InputError):
            from_bytes(data[:cut])
    assert peak(lambda: from_bytes(BOMB)) < 20
    header = json.dumps({"tool": "x", "changes": []}).encode()
    bomb = zlib.compress(struct.pack("<I", len(header)) + header + b"\0" * (64 << 20))
    assert peak(lambda: from_bytes(bomb)) < 20


def test_a_checkpoint_is_no_larger_than_its_file(tmp_path):
    network = made_network(made_plan(2))
    for name, value in network.state_dict().items():
        if name.endswith("weight") and value.ndim == 4:
            network.state_dict()[name].zero_()
    plans, dataset, configuration = nnunet_plans()
    folder = tmp_path / "results/Dataset001_Made/nnUNetTrainer__nnUNetPlans__2d"
    write_nnunet_folder(folder, plans, dataset, configuration, network)
    path = folder / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    content["network_weights"]["more"] = torch.zeros(1).expand(600_000_000)
    torch.save(content, path)
    with pytest.raises(ModelError, match="larger than its file"):
        import_nnunet(tmp_path / "results", "contours", "made", tmp_path / "out")
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in before.namelist():
            new.writestr(name, before.read(name))
    path.write_bytes(packed.getvalue())
    with pytest.raises(ModelError, match="unpack to far more"):
        import_nnunet(tmp_path / "results", "contours", "made", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_zip_does_not_explode(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", "{}")
        with archive.open("weights.safetensors", "w") as file:
            for _ in range(64):
                file.write(bytes(1 << 20))
    assert peak(lambda: import_zip(tmp_path / "m.zip", tmp_path / "out")) < 30


def test_a_damaged_zip_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", "{}" * 4000)
        archive.writestr("weights.safetensors", os.urandom(4000))
    data = (tmp_path / "m.zip").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        spoilt = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            spoilt[at] = rng.integers(256)
        (tmp_path / "m.zip").write_bytes(spoilt)
        with pytest.raises(CopnetError):
            import_zip(tmp_path / "m.zip", tmp_path / "out")


def test_plans_do_not_multiply():
    plans, dataset, configuration = nnunet_plans()
    parts = plans["configurations"][configuration]["architecture"]["arch_kwargs"]
    parts["n_stages"], parts["features_per_stage"] = 1_000_000_000, 8
    with pytest.raises(ModelError, match="n_stages"):
        plan_from_nnunet(plans, configuration, dataset)


def test_ome_metadata_do_not_declare_millions_of_slices(tmp_path):
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 8, 8), np.uint8), metadata={"axes": "ZYX"}, ome=True)
    xml = tifffile.TiffFile(path).ome_metadata
    assert 'SizeZ="2"' in xml
    xml = xml.replace('SizeZ="2"', 'SizeZ="99999999"')
    tifffile.imwrite(path, np.zeros((2, 8, 8), np.uint8), description=xml.encode(), metadata=None)
    assert tifffile.TiffFile(path).is_ome
    assert peak(lambda: read_stack(path)) < 50


def test_extended_headers_of_mrc_are_no_longer_than_the_file(tmp_path):
    import mrcfile

    path = tmp_path / "stack.mrc"
    with mrcfile.new(path) as file:
        file.set_data(np.zeros((2, 8, 8), np.int8))
    data = bytearray(path.read_bytes())
    struct.pack_into("<i", data, 92, 2_000_000_000)
    path.write_bytes(data)
    assert peak(lambda: read_stack(path)) < 50
    (tmp_path / "stack.mrc.gz").write_bytes(gzip.compress(data))
    assert peak(lambda: read_stack(tmp_path / "stack.mrc.gz")) < 50


def test_chunks_unpack_to_what_they_should_hold(tmp_path):
    import zarr
    from zarr.codecs import GzipCodec

    folder = tmp_path / "image.zarr"
    zarr.create_array(
        folder, shape=(2, 8, 8), chunks=(1, 8, 8), dtype="u1", compressors=GzipCodec()
    )[:] = 1
    read_stack(folder)
    (folder / "c/0/0/0").write_bytes(gzip.compress(bytes(64 << 20)))
    with pytest.raises(InputError, match="unpack to more"):
        read_stack(folder)
    for data in (BOMB, gzip.compress(bytes(1 << 20)), bz2.compress(bytes(1 << 20))):
        assert unpacks_to_more(data, 1 << 16) and not unpacks_to_more(data, 1 << 27)
    import numcodecs

    for codec in (numcodecs.Zstd(), numcodecs.Blosc()):
        data = bytes(codec.encode(bytes(1 << 20)))
        assert unpacks_to_more(data, 1 << 16) and not unpacks_to_more(data, 1 << 20)


# What leads elsewhere, or nowhere --------------------------------------------


@unix
def test_links_out_of_a_zarr_folder_are_not_followed(tmp_path):
    import zarr

    for name in ("secret.zarr", "image.zarr"):
        zarr.create_array(tmp_path / name, shape=(2, 8, 8), chunks=(1, 8, 8), dtype="u1")[:] = 7
    (tmp_path / "image.zarr/c/0/0/0").unlink()
    (tmp_path / "image.zarr/c/0/0/0").symlink_to(tmp_path / "secret.zarr/c/0/0/0")
    with pytest.raises(InputError, match="outside its folder"):
        read_stack(tmp_path / "image.zarr")
    (tmp_path / "image.zarr/c/0/0/0").unlink()
    os.mkfifo(tmp_path / "image.zarr/c/0/0/0")
    with pytest.raises(InputError, match="not a file"):
        read_stack(tmp_path / "image.zarr")


def test_a_run_does_not_bring_an_image_from_elsewhere(tmp_path, run):
    private = tmp_path / "private.tif"
    tifffile.imwrite(private, np.full(SHAPE, 9, np.uint8))
    for told in ({"path": str(private)}, {"path": str(private), "sha256": "0" * 64}):
        write_run(run, 0, inputs={"stack": told})
        assert from_run_folder(run).stack is None
    for path in ("/dev/zero", "/dev/stdin"):
        write_run(run, 0, inputs={"stack": {"path": path, "sha256": "0" * 64}})
        assert from_run_folder(run).stack is None
    from napari_copnet.runs.run_record import described

    told = described(read_stack(private))
    write_run(run, 0, inputs={"stack": told})
    assert from_run_folder(run).stack is not None


@unix
@pytest.mark.parametrize("name", ["journal.sqlite", "session.lock", "snapshot.npz", "annotation"])
def test_a_session_does_not_write_into_what_it_links_to(tmp_path, session_folder, name):
    foreign = tmp_path / "foreign"
    with closing(sqlite3.connect(foreign)) as database:
        database.execute("CREATE TABLE mine (a)")
    before = foreign.read_bytes()
    (session_folder / name).unlink(missing_ok=True)
    (session_folder / name).symlink_to(foreign)
    for work in (Session.open, recover):
        with pytest.raises(InputError, match="not followed"):
            work(session_folder)
    assert foreign.read_bytes() == before


@unix
def test_a_store_with_links_is_none(tmp_path):
    (tmp_path / "store/step/arrays/closed/c").mkdir(parents=True)
    assert is_store(tmp_path / "store")
    (tmp_path / "store/step/arrays/closed/c/0").symlink_to(tmp_path)
    assert not is_store(tmp_path / "store")


@pytest.mark.parametrize(
    "rows", [[(1, 2), (2, 1)], [(1, 0), (2, 3), (3, 2)], [(1 << 62, 0)], [(1, 0), (1 << 62, 1)]]
)
def test_edits_in_circles_and_of_huge_numbers_end(session_folder, rows):
    edit = to_bytes(Edit("x", (Flip("contour", Patch.of(0, contour_of()[0])),)))
    with closing(sqlite3.connect(session_folder / "journal.sqlite")) as database:
        for number, parent in rows:
            database.execute(
                "INSERT INTO steps VALUES (?, ?, 0, 'x', 'x', ?)", (number, parent, edit)
            )
        database.execute("UPDATE head SET current = ?, tip = ?", (rows[-1][0],) * 2)
        database.commit()
    try:
        with Session.open(session_folder):
            pass
    except InputError:
        try:
            recover(session_folder)
        except InputError:
            return
        with Session.open(session_folder) as session:
            session.apply(Edit("y", (Flip("contour", Patch.of(1, contour_of()[1])),)))


# What speaks to others -------------------------------------------------------


def test_text_of_others_is_only_text(tmp_path):
    assert printable("a\x1b[31mb\x9bc\u202ed\te\n") == "a\ufffd[31mb\ufffdc\ufffdd\te\n"
    for formula in ('=HYPERLINK("x")', "+1+1", "-cmd", "@SUM(A1)", " =1+1", "\t=1"):
        assert plain_cell(formula) == "'" + formula
    for value in ("-1.5", "1e3", "plain", -2, None):
        assert plain_cell(value) == value
    shown = as_markdown("<script>x</script>\n# [a](javascript:b) `c`")
    assert "<script>" not in shown and "\n" not in shown and "\\[a\\]" in shown
    path = write_rows(tmp_path / "t.csv", [{"a": "=1+1", "b": -1}], ["a", "b"])
    assert next(csv.DictReader(path.open())) == {"a": "'=1+1", "b": "-1"}


def test_the_command_line_prints_no_control_characters(capsys):
    from napari_copnet.cli.console import say, show

    show({}, False, ["data: \x1b]0;owned\x07\x1b[2J"])
    say("[red]a\x1b[31m")
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\x07" not in out and "[red]" in err


def test_the_edits_of_a_session_as_a_table(tmp_path, session_folder):
    from napari_copnet.gui.proofreading.history_export import export_history

    with Session.open(session_folder) as session:
        flip = Flip("contour", Patch.of(0, contour_of()[0]))
        session.apply(Edit('=HYPERLINK("http://x")', (flip,)))
        export_history(session.history, tmp_path / "edits.csv")
    (row,) = csv.DictReader((tmp_path / "edits.csv").open())
    assert row["tool"].startswith("'=") and row["text"].startswith("'=")


@unix
def test_the_umask_is_never_changed(tmp_path, monkeypatch):
    def changed(_):
        raise AssertionError("other threads would make files for all to write")

    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", changed)
        with whole_file(tmp_path / "file") as beside:
            beside.write_text("x")
        with whole_folder(tmp_path / "folder") as beside:
            (beside / "x").write_text("x")
    finally:
        monkeypatch.undo()
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("file", "folder")]
    assert modes == [0o640, 0o750]


def test_a_slice_of_a_tiff_is_no_larger_than_can_be_packed_into_it(tmp_path):
    """A small file that claims a slice of gigabytes, in a compression that has no known bound."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((2, 12, 14), np.uint8), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for page in tif.pages:
            page.tags["Compression"].overwrite(50000)
            page.tags["ImageLength"].overwrite(1_000_000_000)
    for lazy in (False, True):
        with pytest.raises(InputError, match="truncated or damaged"):
            read_stack(path, lazy=lazy)
