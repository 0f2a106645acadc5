"""Scores of subnets: images, recalibration, metrics."""
from .subnet_evaluator import SubnetEvaluator

__all__ = ['SubnetEvaluator']
