"""What a picture shows: the elements of an SVG file, the pixels of a PNG file, the artists of a figure."""

import io
from xml.etree import ElementTree

import numpy as np


def elements(svg):
    """(kind, attributes, text) of every element of an SVG file, in order; its bytes or its text."""
    found = ElementTree.fromstring(svg).iter()
    return [(one.tag.rpartition("}")[2], one.attrib, (one.text or "").strip()) for one in found]


def pixels(png):
    """Numbers from 0 to 1, shape (height, width, channels)."""
    from matplotlib.image import imread

    return imread(io.BytesIO(png), format="png")


def is_blank(png):
    """Whether all pixels are of one colour."""
    return not np.ptp(pixels(png), axis=(0, 1)).any()


def artists(axes):
    """The texts of a panel, and the points of its curves, patches and collections with their colours."""
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    def points(path):
        return np.nan_to_num(path.vertices, nan=np.inf).round(9).tolist()

    found = []
    for artist in axes.findobj():
        match artist:
            case Text():
                found.append(("text", artist.get_text()))
            case Line2D():
                found.append(("curve", artist.get_color(), points(artist.get_path())))
            case Patch():
                found.append(("patch", artist.get_facecolor(), points(artist.get_path())))
            case Collection():
                found.append(("collection", artist.get_edgecolor().tolist(), [points(p) for p in artist.get_paths()]))
    return found
