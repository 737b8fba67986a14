"""Training of convolutional vision models on any GPU, through the command ``shadegrad`` of the same package.

>>> import shadegrad
>>> run = shadegrad.train_classify(data="photos", image_size=128, epochs=10)
>>> run.verdict["headline"]
>>> shadegrad.predict(run, "new-photos")[0].label

Every function runs the command, so a run from Python equals a run from the shell.
"""

from shadegrad._command import ShadegradError, command, version
from shadegrad._predict import ClassPrediction, LabelsPrediction, MaskPrediction, PicturePrediction, Prediction, predict
from shadegrad._run import Run, load_run
from shadegrad._train import train, train_classify, train_colorize, train_multi_label, train_segment

__version__ = version()
__all__ = [
    "ClassPrediction",
    "LabelsPrediction",
    "MaskPrediction",
    "PicturePrediction",
    "Prediction",
    "Run",
    "ShadegradError",
    "command",
    "load_run",
    "predict",
    "train",
    "train_classify",
    "train_colorize",
    "train_multi_label",
    "train_segment",
    "version",
]
