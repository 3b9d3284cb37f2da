"""The mixture: how many tokens of each domain a corpus takes. Pure arithmetic, exact, no files.

A domain declares either its ``share`` of the tokens or its number of ``epochs``, never both. Domains with epochs
take epochs x available tokens; the shares divide what those leave of the budget and sum to 1. Groups of domains nest:
their shares multiply. Instead of declaring shares, let a ``solver`` find them (`stages.mixture.solvers`), or import
them. No domain is read more often than its ``max_epochs``: once where nobody says more, so that nothing is repeated
unasked (Muennighoff et al. 2023, arXiv 2305.16264, find that up to four epochs are worth almost as much as new text).

Where a share asks for more than that, ``on_shortfall`` decides: ``error`` says what is missing; ``shrink`` takes
the largest budget that keeps the shares; ``redistribute`` gives what a domain cannot to the others in proportion
to their shares, until all fit (water-filling). A budget of null is the largest that keeps the shares.
Token counts are integers that sum exactly to the budget: largest remainder, ties by name. Fractions are exact
decimals as written, so the result depends neither on the order of the domains nor on floating point.
"""

from __future__ import annotations

from stages.mixture.params import MixtureError, MixtureParams, parse_tokens, read_weights
from stages.mixture.phases import PhasePlan, PhasesParams, Window, solve_phases, whole_of
from stages.mixture.solve import Mixture, solve, weight_warnings
from stages.mixture.solvers import apportion
from stages.mixture.swarm import swarm

VERSION = 3

__all__ = [
    "VERSION", "Mixture", "MixtureError", "MixtureParams", "PhasePlan", "PhasesParams", "Window", "apportion",
    "parse_tokens", "read_weights", "solve", "solve_phases", "swarm", "weight_warnings", "whole_of",
]  # fmt: skip
