"""Tests of transfer.py, and what they need: a PostgreSQL server, Immich's schemas, rows to fill them."""
