# ruff: noqa
from hetc import hetero_pipeline


@hetero_pipeline
def empty():
    pass
