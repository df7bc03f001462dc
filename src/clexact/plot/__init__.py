"""Pictures of conservation laws. Needs the extra ``[plot]``.

Each function returns a new matplotlib Figure, or draws on the axes given as ``ax``. No figure is registered with
pyplot, nothing is shown, no global setting changes; ``save`` writes PNG, SVG or PDF without a date.

>>> import clexact
>>> figure = clexact.plot.filtration(clexact.certify(clexact.gradient_flow(clexact.models.linear([4, 3, 5]))))
>>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
['$W_{0}$\\n18', '$W_{1}$\\n21\\n+ 3']
"""

from clexact.support.extras import command as _command

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError(f"this needs matplotlib: {_command('plot')}.") from error

from clexact.plot.blocks import touches
from clexact.plot.dimensions import filtration
from clexact.plot.drifts import drift, slope
from clexact.plot.excess import starts
from clexact.plot.figures import save
from clexact.plot.levelsets import level_sets

__all__ = ["drift", "filtration", "level_sets", "save", "slope", "starts", "touches"]
