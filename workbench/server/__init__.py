"""Shared by the servers of app and demo: access, rate limits, connections, logs."""
