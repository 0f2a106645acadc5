"""The version of nasbnn_det; setup.py reads it without importing torch."""

__version__ = '0.1.0'
