"""What several tests build on: small networks, checkpoints, jobs, servers and pages."""
