"""What app and demo share in front of their pages: access, limits, connections, logs."""
