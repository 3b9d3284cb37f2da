"""Execution of tasks: the scheduler and its retries, one process or Ray, limits and costs. Knows no product."""
