"""Measure personalization methods, ours and others', under one protocol.

A data set becomes a `manifest` (datasets/), a `method` answers its samples (methods/), `runner` writes one record per
answer, `metrics` score the records with confidence intervals and `report` puts them side by side.
"""
