"""Figures on disk, for print and for a README."""

from pathlib import Path

import holoviews as hv

from imtools.run_folder import atomic_path

SUFFIXES = (".pdf", ".png")


def save_figures(figures, folder, *, dpi=110, overwrite=False):
    """Save HoloViews elements with matplotlib, as PDF for a paper and PNG for a page.

    Parameters
    ----------
    figures : dict of str to holoviews.Element
        Elements by the name of their file, without suffix.
    folder : path-like
        Where to; it is made if it is not there.
    dpi : int
        Dots per inch of the PNG.
    overwrite : bool
        Replace files that exist.

    Raises
    ------
    FileExistsError
        If a file exists and `overwrite` is False.

    Returns
    -------
    list of pathlib.Path
        The PNG files.
    """
    pictures = []
    for name, element in figures.items():
        for suffix in SUFFIXES:
            path = Path(folder) / f"{name}{suffix}"
            with atomic_path(path, overwrite=overwrite) as temporary:
                hv.save(element, temporary, backend="matplotlib", fmt=suffix[1:], dpi=dpi)
        pictures.append(path)
    return pictures
