"""Help: what a map is and is not, and every method and measure in plain words."""

from ui import guard
from ui.panels import help

guard.require()
help.show()
