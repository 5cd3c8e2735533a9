import holoviews as hv
import numpy as np
import numpy.testing as npt

from imtools.plots.style import follow, line, overlay, panel, points

hv.extension("bokeh")


def test_axes_follow_what_a_widget_shows():
    def show(centre):
        ends = [centre - 1.0, centre + 1.0]
        diagonal = line(ends, ends, kdim="x", vdim="y", colour="black")
        dots = points([centre], [centre], [0.1], kdim="x", vdim="y", colour="black")
        return follow(panel(overlay([diagonal, dots]), xlim=tuple(ends), ylim=tuple(ends)))

    place = hv.streams.Stream.define("Place", centre=0.0)()
    plot = hv.renderer("bokeh").get_plot(hv.DynamicMap(show, streams=[place]))
    place.event(centre=10.0)
    ranges = [plot.handles[name] for name in ("x_range", "y_range")]
    npt.assert_allclose([[r.start, r.end] for r in ranges], np.array([[9.0, 11.0]] * 2))
