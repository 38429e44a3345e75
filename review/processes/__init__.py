"""The processes of an installation: web server, workers, one a device."""
