"""Keeping a site: backups, restoring, upgrades, copying to another database."""
