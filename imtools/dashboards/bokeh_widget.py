"""A Bokeh figure as a widget that shows its present state wherever it is opened."""

from bokeh.document import Document
from jupyter_bokeh.widgets import BokehModel


class BokehWidget(BokehModel):
    """A Bokeh model whose changes go both ways, and which no page shows as it was before.

    `jupyter_bokeh` hands a page the figure as it was when the widget was made, and to views that
    are open what changes from then on. What changed before the first view opened, or before a page
    was loaded again, would be missing there.

    Parameters
    ----------
    model : bokeh.models.LayoutDOM
        Figure or layout; it belongs to no document yet.
    """

    def __init__(self, model):
        self._is_seen = self._is_stale = False
        # while the kernel works, moves of the mouse wait, and only the last of them is sent
        super().__init__(model, combine_events=True)

    def update_from_model(self, model):
        """Take the figure; its description is made when a page asks for the state."""
        self._model = model
        if model.document is None:
            Document().add_root(model)
        self._document.on_change_dispatch_to(self)

    def refresh(self):
        """Have the page draw the figure of now."""
        self._is_stale = False
        self.render_bundle = self._model_to_traits(self._model)

    def get_state(self, key=None, drop_defaults=False):
        """Return the state of the widget; a page that asks for all of it gets the figure of now."""
        if key is None and self._document is not None:
            # past the trait's setter, which would send it to every page
            self._trait_values["render_bundle"] = self._model_to_traits(self._model)
        return super().get_state(key, drop_defaults)

    def _document_patched(self, event):
        """Send a change to the page, if there is one."""
        if self._is_seen:
            super()._document_patched(event)
        else:
            self._is_stale = True

    def _sync_model(self, widget, content, buffers):
        """Take a change from the page; the first comes when a view has been laid out."""
        self._is_seen = True
        if self._is_stale:
            self.refresh()
        super()._sync_model(widget, content, buffers)

    def close(self):
        """Take the figure off the page, and let go of its document."""
        document = self._document
        super().close()
        if document is not None:
            document.clear()
