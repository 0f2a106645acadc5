"""Runs the stages of a pipeline config in order, in one folder, resumable. Knows tools, not networks."""
from .report import as_text, write_report
from .run import run_pipeline
from .stage import PipelineError, Stage, load_stages

__all__ = ['PipelineError', 'Stage', 'as_text', 'load_stages', 'run_pipeline', 'write_report']
