"""Line-intensity mapping in notebooks: mock CO maps, networks, and an honest scoreboard."""

__version__ = "0.1.0"
