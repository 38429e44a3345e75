"""Help: what a map is and is not, and every method and measure in plain words."""

from ui import guard, help_panel

guard.require()
help_panel.show()
