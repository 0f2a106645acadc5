"""Package nasbnn_det; requirements and version live in their own files."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read(name):
    """Return the text of a file of the project, empty if there is none."""
    path = ROOT / name
    return path.read_text(encoding='utf-8') if path.exists() else ''


def read_version():
    """Return the version without importing the package (and so torch)."""
    text = read('nasbnn_det/version.py')
    return re.search(r"^__version__ = '([^']+)'", text, re.M).group(1)


def read_requirements(name):
    """Return the requirements of a file, comments left out."""
    lines = (line.split('#')[0].strip()
             for line in read(f'requirements/{name}.txt').splitlines())
    return [line for line in lines if line]


setup(
    name='nasbnn_det',
    version=read_version(),
    description='Binary neural network detectors for MMDetection',
    long_description=read('README.md'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['nasbnn_det', 'nasbnn_det.*']),
    package_data={'nasbnn_det': ['**/*.json', '**/*.cpp', '**/*.h']},
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={
        'deploy': read_requirements('deploy'),
        'mm': read_requirements('mminstall'),
        'tests': read_requirements('tests'),
    },
    zip_safe=False,
)
