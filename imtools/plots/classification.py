"""Panels of a classifier: what is taken for what, and whether its probabilities are honest."""

import holoviews as hv
import numpy as np

from imtools.plots.style import COLOURS, SIZE, TRUTH, axis_label, line, panel, points, styled

SHARE = hv.Dimension("share", label="share of the maps of a model")


def show_confusion(scores, *, title="What is taken for what"):
    """Show the confusion matrix: the number of maps, and in colour their share of a true model.

    Parameters
    ----------
    scores : xarray.Dataset
        From `evaluation.classification.score_classes`.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
        A row a true model; right answers lie on the diagonal.
    """
    counts = scores["confusion"].values
    names = scores["family"].values.tolist()
    places = np.arange(len(names))
    kdims = [hv.Dimension("family", label="taken for"), hv.Dimension("true", label="true model")]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mesh = styled(
        hv.QuadMesh((places, places, share), kdims, SHARE),
        cmap="Blues", clim=(0, 1), colorbar=True, title=title,
        bokeh={"frame_width": SIZE, "frame_height": SIZE, "tools": ["hover"]},
        matplotlib={"fig_inches": (6, 4.5), "aspect": "auto"},
    )  # fmt: skip
    layers = [mesh]
    for colour, chosen in ((TRUTH, share <= 0.5), ("white", share > 0.5)):  # seen on either shade
        cells = [(x, y, str(counts[y, x])) for y, x in zip(*np.nonzero(chosen), strict=True)]
        labels = hv.Labels(cells, kdims, "number")
        layers.append(
            styled(
                labels, bokeh={"text_font_size": "11pt", "text_color": colour},
                matplotlib={"size": 11, "color": colour},
            )
        )  # fmt: skip
    ticks = list(enumerate(names))
    return styled(hv.Overlay(layers), invert_yaxis=True, xticks=ticks, yticks=ticks, xrotation=40)


def show_reliability(scores, *, colour=COLOURS[0], title="Are the probabilities honest?"):
    """Show how often the likeliest model is true, against the probability that it was given.

    Parameters
    ----------
    scores : xarray.Dataset
        From `evaluation.classification.score_classes`.
    colour : str
        Of the points.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
        A point a bin with its binomial error; honest ones lie on the black diagonal.
    """
    some = scores["bin_n_maps"].values > 0
    x, y, error = (
        scores[f"bin_{name}"].values[some] for name in ("confidence", "accuracy", "accuracy_error")
    )
    kdim = hv.Dimension("confidence", label=axis_label(scores["bin_confidence"]))
    vdim = hv.Dimension("accuracy", label=axis_label(scores["bin_accuracy"]))
    labelled = {"kdim": kdim, "vdim": vdim}
    diagonal = line([0, 1], [0, 1], colour=TRUTH, dash="dashed", label="honest", **labelled)
    dots = points(x, y, error, colour=colour, label="maps", **labelled)
    return panel(
        diagonal * dots, legend="top_left", title=title, xlim=(0, 1.02), ylim=(0, 1.05)
    )  # fmt: skip


def show_probabilities(probabilities, sample, *, true="", title=None):
    """Show the probability of each luminosity model for one map.

    Parameters
    ----------
    probabilities : xarray.DataArray, dims ("sample", "family"), units 1
        From `training.classifying.Classifier`.
    sample : int
        Number of the map.
    true : str
        The model that made it, whose bar is black.
    title : str
        Of the panel; the number of the map if left out.
    """
    names = probabilities["family"].values.tolist()
    p = probabilities.isel(sample=sample).values
    kdim = hv.Dimension("family", label="luminosity model")
    vdim = hv.Dimension("probability", label=axis_label(probabilities))
    colours = [TRUTH if name == true else COLOURS[0] for name in names]
    bars = hv.Bars(
        [(n, float(v), c) for n, v, c in zip(names, p, colours, strict=True)],
        kdim,
        [vdim, "colour"],
    )
    return styled(
        panel(bars, title=title or f"Map {sample}", ylim=(0, 1), xrotation=40),
        bokeh={"color": "colour"}, matplotlib={"color": "colour"},
    )  # fmt: skip
