"""The map explorer: turn a knob and see the map that it makes."""

import html
import json
import warnings

import ipywidgets as widgets

from imtools.dashboards.closing import close_all
from imtools.dashboards.explorer.knobs import ModelKnobs, StageKnobs
from imtools.dashboards.explorer.saving import KINDS, save_map, with_origin
from imtools.dashboards.explorer.viewer import MapViewer
from imtools.dashboards.messages import Message, guarded, one_at_a_time
from imtools.datasets import Kept, MapSettings, make_layers, map_script
from imtools.datasets.layers import halo_key
from imtools.datasets.sky import painted_survey
from imtools.experiment import Experiment
from imtools.luminosity import LUMINOSITY_MODELS
from imtools.survey import Survey

SURVEYS = {"notes": Survey.notes, "comap": Survey.comap, "ihle2019": Survey.ihle2019}
SURVEY = ("field_size", "n_pix", "n_chan", "nu_min", "nu_max", "m_min", "cell_size")
SKY = (
    "beam_fwhm", "fine_factor", "beam_margin", "line_width", "point_sources", "diffuse",
    "interlopers",
)  # fmt: skip
RECEIVER = ("sigma_noise", "noise_convention", "hits", "filter", "filter_order")
MOST_VOXELS = 40_000_000  # painted; with all layers these take 1.5 GB
MOST_VOLUME = 3e8  # Mpc3; it holds ten million haloes above 2.5e10 Msun
SMALL = {"layout": {"width": "120px"}}


class MapExplorer:
    """A map and all that it depends on: luminosity, sky, receiver, survey.

    Haloes are kept; a change does again only what depends on it.

    Parameters
    ----------
    experiment : Experiment, optional
        Survey, haloes, sky and receiver to begin with; its pooling is left out. By default that of
        the notes.
    model : LuminosityModel, optional
        By default that of the experiment, with its fiducial parameters.
    seed : int
        Of every random draw.
    haloes : xarray.Dataset, dims ("halo",), optional
        From `halos.simulate`; they are used where they are those of this experiment and seed, and
        made again otherwise.
    folder : path-like, optional
        Where files are saved; by default ``maps`` in the folder of data.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display.
    viewer : MapViewer
        Slices, spectra and statistics.
    settings : MapSettings
        Of the map that is shown.

    Examples
    --------
    >>> small = Experiment.from_preset("tiny", field_size=0.1, n_pix=16, m_min=1e12)
    >>> explorer = MapExplorer(small)
    >>> explorer.set(sigma_noise=5.0)
    >>> explorer.viewer.step(1)
    >>> "add_white_noise" in explorer.code
    True
    >>> explorer.close()
    """

    def __init__(self, experiment=None, *, model=None, seed=0, haloes=None, folder=None):
        experiment = experiment or Experiment.from_preset("quick")
        self._experiment = experiment.replace(
            pool_freq=1, pool_dec=1, pool_ra=1, pool_how="mean", transform="asinh"
        )
        name = experiment.luminosity.luminosity_model.partition("+")[0]
        model = model or LUMINOSITY_MODELS[name]()
        self._kept, self._folder, self._seed, self.settings = Kept(), folder, seed, None
        self._quiet, self.viewer = True, None
        self.message = Message()
        self._make_knobs(model)
        if haloes is not None and _are_of(haloes, self._wanted()):
            self._kept.put("haloes", halo_key(self._wanted()), haloes)
        layers = self._make()
        counts = layers.pop("counts")
        self.viewer = MapViewer(layers, counts, message=self.message)
        self._show_code()
        self.view = widgets.VBox([self.tabs, self.message.view, self.viewer.view])
        self.view.add_class("imtools-explorer")
        self._quiet = False

    def _make_knobs(self, model):
        """Make the tabs of controls."""
        update = guarded(self.message)(self.update)
        show = guarded(self.message)
        self.model = ModelKnobs(model, update)
        self.model.fiducial.on_click(show(lambda _: self.model.set_fiducial()))
        self.model.draw.on_click(show(lambda _: self.model.draw_from_prior()))
        self.sky = StageKnobs(self._experiment, SKY, update)
        self.receiver = StageKnobs(self._experiment, RECEIVER, update)
        self.survey = StageKnobs(self._experiment, SURVEY)
        self.seed = widgets.IntText(
            self._seed, description="seed", style={"description_width": "150px"},
            layout={"width": "300px"},
        )  # fmt: skip
        pages = {
            "Luminosity": self.model.view, "Sky": self.sky.view, "Receiver": self.receiver.view,
            "Survey": self._survey_page(show), "Save": self._save_page(), "Code": self._code_page(),
        }  # fmt: skip
        self.tabs = widgets.Tab(list(pages.values()), titles=list(pages))

    def _survey_page(self, show):
        """Return the page of the survey, which is applied as a whole: it may need new haloes."""
        self.surveys = widgets.Dropdown(
            options=["own", *SURVEYS], description="survey", layout={"width": "300px"},
            style={"description_width": "150px"},
        )  # fmt: skip
        self.surveys.observe(show(self._fill_survey), "value")
        self.apply = widgets.Button(description="apply", button_style="primary", **SMALL)
        job = one_at_a_time(self.message, button=self.apply)(self.update)
        self.apply.on_click(lambda _: job())
        above = widgets.HBox([self.surveys, self.seed, self.apply])
        return widgets.VBox([above, self.survey.view])

    def _save_page(self):
        self.name = widgets.Text("map", description="name", layout={"width": "260px"})
        self.kind = widgets.Dropdown(options=KINDS, description="as", layout={"width": "220px"})
        self.save_button = widgets.Button(description="save", icon="save", **SMALL)
        job = one_at_a_time(self.message, button=self.save_button)(self.save)
        self.save_button.on_click(lambda _: job())
        return widgets.HBox([self.name, self.kind, self.save_button])

    def _code_page(self):
        self.code_view = widgets.HTML()
        return self.code_view

    @property
    def code(self):
        """Python that makes the map that is shown."""
        return map_script(self.settings)

    def set(self, *, model=None, seed=None, **values):
        """Set parameters as the controls do, all at once.

        Parameters
        ----------
        model : LuminosityModel, optional
            Another model, or other parameters.
        seed : int, optional
            Of every random draw.
        **values
            Parameters of the survey, the haloes, the sky and the receiver, by name.

        Raises
        ------
        KeyError
            If there is no control of that name.
        """
        controls = self.survey.controls | self.sky.controls | self.receiver.controls
        unknown = set(values) - set(controls)
        if unknown:
            msg = f"MapExplorer.set: unknown {sorted(unknown)}, expected among {sorted(controls)}"
            raise KeyError(msg)
        self._quiet = True
        try:
            for name, value in values.items():
                controls[name].value = value
            if seed is not None:
                self.seed.value = seed
            if model is not None:
                self.model.set(model)
        finally:
            self._quiet = False
        with guarded(self.message):
            self.update()

    def update(self):
        """Make the map that the controls ask for, and show it; on an error the old one stays."""
        if self._quiet:
            return
        layers = self._make()
        counts = layers.pop("counts")
        self.viewer.show_layers(layers, counts)
        self._show_code()

    def _wanted(self):
        """Return the settings that the controls say."""
        values = self.survey.values() | self.sky.values() | self.receiver.values()
        experiment = self._experiment.replace(**values)
        if self.seed.value < 0:
            msg = f"seed is {self.seed.value}, expected at least 0"
            raise ValueError(msg)
        _check_affordable(painted_survey(experiment))
        model = self.model.model()
        return MapSettings(experiment=experiment, model=model, seed=self.seed.value)

    def _make(self):
        """Return the layers that the controls ask for; warnings become a message."""
        wanted = self._wanted()
        if self.settings is None or halo_key(wanted) != halo_key(self.settings):
            self.message.show("simulating haloes")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            layers = make_layers(wanted, self._kept)
        self.settings = wanted
        self.message.clear()
        told = [str(w.message) for w in caught if w.category is UserWarning]
        if told:
            self.message.show(told[0], kind="warning")
        return layers

    def _fill_survey(self, change):
        """Write a known survey into the fields, for the button to apply."""
        if change["new"] in SURVEYS:
            survey = SURVEYS[change["new"]]()
            for name in SURVEY[:5]:
                self.survey.controls[name].value = getattr(survey, name)

    def save(self):
        """Save what is shown under the name and as the kind that the controls say.

        Returns
        -------
        list of pathlib.Path
        """
        cube = with_origin(self.viewer.layers["observed"], self.settings)
        figure = self.viewer.figure()
        paths = save_map(
            self.name.value, self.kind.value, cube=cube, figure=figure, folder=self._folder
        )
        self.message.show(f"saved {', '.join(str(path) for path in paths)}")
        return paths

    def _show_code(self):
        """Write the code into its page, with a button that copies it."""
        copy = "navigator.clipboard.writeText(this.nextElementSibling.innerText)"
        self.code_view.value = (
            f'<button class="jupyter-button imtools-copy" onclick="{copy}">copy</button>'
            f'<pre class="imtools-code" style="line-height:1.35">{html.escape(self.code)}</pre>'
        )

    def close(self):
        """Take the explorer off the page, and forget maps and haloes."""
        self.viewer.close()
        close_all(self.view)
        self._kept.clear()


def _are_of(haloes, settings):
    """Return whether haloes say that they were simulated as `settings` ask."""
    made = json.loads(haloes.attrs.get("parameters", "{}"))
    box = painted_survey(settings.experiment).to_dict()
    same = ("field_size", "nu_min", "nu_max", "nu_rest", "cosmology")
    wanted = {"m_min": settings.experiment.halos.m_min}
    wanted |= {"cell_size": settings.experiment.halos.cell_size}
    fits = all(made.get(name) == value for name, value in wanted.items())
    fits = fits and all(made.get("survey", {}).get(name) == box[name] for name in same)
    return fits and str(haloes.attrs.get("seed")) == str(settings.seed)


def _check_affordable(survey):
    """Raise if a map of `survey`, as it is painted, would not fit into memory."""
    n_voxels = survey.n_chan * survey.n_pix**2
    if n_voxels > MOST_VOXELS or survey.volume > MOST_VOLUME:
        msg = (
            f"the painted map has {n_voxels} voxels and {survey.volume:.2g} Mpc3, expected at most "
            f"{MOST_VOXELS} and {MOST_VOLUME:.2g}; take fewer pixels and channels, or less sky"
        )
        raise ValueError(msg)
