"""The sides that the bench `peers` compares, each in a process of its own (`bench.sides.child`).

A side is a module with `load(task) -> Side`.  Those of other projects import their code from where
the user has it; none of it is in this repository.
"""
