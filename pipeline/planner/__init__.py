"""The compute planner: scaling laws, what a mixture can give, and tables of both. Pure functions, no files."""

from pipeline.planner.laws import DEFAULT_LAWS, LAWS, Law
from pipeline.planner.own_law import OwnLaw, read_law
from pipeline.planner.planner import compute_of_gpus, plan, supplies_of
from pipeline.planner.tables import disk_table, domain_table, law_table, phase_table, render, repeats_table, yield_table

__all__ = [
    "DEFAULT_LAWS", "LAWS", "Law", "OwnLaw", "compute_of_gpus", "disk_table", "domain_table", "law_table",
    "phase_table", "plan", "read_law", "render", "repeats_table", "supplies_of", "yield_table",
]  # fmt: skip
