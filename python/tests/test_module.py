"""The Python module: training, runs, predictions, errors. `scripts/wheel --test` runs it on the installed wheel."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shadegrad
from PIL import Image

TINY = {"scenes": 40, "image_size": 32, "epochs": 2, "batch_size": 8, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return shadegrad.train_classify(out=tmp_path_factory.mktemp("runs") / "classifier", **TINY)


def noise(height, width, channels=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_a_run_tells_what_it_did(classifier):
    assert classifier.settings["epochs"] == 2 and classifier.task == "classify"
    assert len(classifier.classes) == 10 and "tree" in classifier.classes
    assert [row["epoch"] for row in classifier.metrics] == [1, 2]
    assert classifier.best["val_accuracy"] == max(row["val_accuracy"] for row in classifier.metrics)
    assert "validation images" in classifier.verdict["headline"]
    assert Image.open(classifier.picture("curves")).width > 100
    with pytest.raises(FileNotFoundError, match="curves"):
        classifier.picture("other")
    page = classifier._repr_html_()
    assert page.count("data:image/png;base64,") == 2 and "validation images" in page


def test_loading_reads_the_same(classifier):
    loaded = shadegrad.load_run(classifier.path)
    assert loaded == classifier and loaded.metrics == classifier.metrics
    with pytest.raises(shadegrad.ShadegradError, match="no config.toml"):
        shadegrad.load_run(classifier.path.parent)


def test_files_arrays_and_pillow_images_are_predicted_alike(classifier, tmp_path):
    arrays = [noise(40, 50), noise(33, 32)]
    for number, array in enumerate(arrays):
        Image.fromarray(array).save(tmp_path / f"{number}.png")
    of_folder = shadegrad.predict(classifier, tmp_path, device="cpu")
    of_arrays = shadegrad.predict(classifier.path, arrays, device="cpu")
    of_pillow = shadegrad.predict(classifier, [Image.fromarray(array) for array in arrays], device="cpu")
    assert [one.image for one in of_arrays] == [0, 1]
    assert [one.image.name for one in of_folder] == ["0.png", "1.png"]
    assert [vars(a)["probabilities"] for a in of_arrays] == [b.probabilities for b in of_folder] == [c.probabilities for c in of_pillow]
    first = of_arrays[0]
    assert first.label == max(first.probabilities, key=first.probabilities.get)
    assert abs(sum(first.probabilities.values()) - 1) < 1e-5
    assert shadegrad.predict(classifier, []) == []


def test_masks_and_pictures_are_arrays(tmp_path):
    small = {**TINY, "scenes": 12, "epochs": 1}
    run = shadegrad.train_segment(out=tmp_path / "segment", base=4, **small)
    (found,) = shadegrad.predict(run, noise(48, 64), device="cpu")
    assert found.mask.shape == (48, 64) and found.mask.dtype == np.uint8 and found.mask.max() < len(found.classes)
    shares = np.bincount(found.mask.ravel(), minlength=len(found.classes)) / found.mask.size
    assert all(abs(shares[found.classes.index(name)] - share) < 1e-6 for name, share in found.shares.items())
    run = shadegrad.train_colorize(out=tmp_path / "colorize", base=4, **small)
    (found,) = shadegrad.predict(run, noise(48, 64), device="cpu")
    assert found.picture.shape[2] == 3 and found.picture.dtype == np.uint8


def test_several_labels(tmp_path):
    run = shadegrad.train_multi_label(out=tmp_path / "labels", **{**TINY, "epochs": 1})
    (found,) = shadegrad.predict(run, noise(32, 32), device="cpu")
    assert set(found.labels) == {name for name, p in found.probabilities.items() if p >= found.thresholds[name]}


def test_settings_of_every_kind_arrive(tmp_path):
    settings = {"augment": [{"rotate": 10}, {"blur": 1.0, "p": 0.2}], "shuffle": False, "lr": 1e-7, "schedule": "cosine"}
    run = shadegrad.train("classify", out=tmp_path / "a \"quoted\" name", **{**TINY, "epochs": 1}, **settings)
    found = run.settings
    assert found["lr"] == 1e-7 and found["schedule"] == "cosine" and found["shuffle"] is False
    assert [list(step)[0] for step in found["augment"]] == ["rotate", "blur"]


def test_settings_are_chosen_for_a_data_set(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(noise(20, 20)).save(tmp_path / "photos" / name / f"{number}.png")
    small = {"model": "cnn", "image_size": 16, "epochs": 1, "device": "cpu", "progress": False}
    schedules = {None: "cosine", True: "cosine", False: "constant"}
    for auto, schedule in schedules.items():
        run = shadegrad.train("classify", tmp_path / "photos", out=tmp_path / f"auto-{auto}", auto=auto, **small)
        assert run.settings["schedule"] == schedule


def test_errors_carry_the_message(classifier, tmp_path):
    with pytest.raises(shadegrad.ShadegradError, match="learning_rate"):
        shadegrad.train_classify(learning_rate=1.0, **TINY)
    with pytest.raises(shadegrad.ShadegradError, match="nowhere"):
        shadegrad.train_classify(tmp_path / "nowhere", **TINY)
    before = classifier.path / "best.safetensors"
    with pytest.raises(shadegrad.ShadegradError, match="empty|taken|exists"):
        shadegrad.train_classify(out=classifier.path, **TINY)
    assert before.exists()
    with pytest.raises(TypeError, match="255"):
        shadegrad.predict(classifier, np.zeros((4, 4, 3)))
    with pytest.raises(TypeError, match="mixed"):
        shadegrad.predict(classifier, ["a.png", noise(4, 4)])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(shadegrad.ShadegradError, match="broken.png"):
        shadegrad.predict(classifier, tmp_path / "broken.png", device="cpu")


def test_progress_is_printed_line_by_line(capfd, tmp_path):
    shadegrad.train_classify(out=tmp_path / "run", **{**TINY, "epochs": 1, "progress": True})
    printed = capfd.readouterr().out
    assert "epoch  1/1" in printed and str(tmp_path / "run") in printed


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "shadegrad", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("shadegrad ")


NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"


def test_the_notebook_runs(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    os.environ["SHADEGRAD_NOTEBOOK_EPOCHS"] = "2"
    done = nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in done.cells for output in cell.get("outputs", [])]
    pages = [output["data"].get("text/html", "") for output in shown if "data" in output]
    assert any("<svg" in page or "data:image/png" in page for page in pages), "curves are shown inline"
    assert not [output for output in shown if output["output_type"] == "error"]
