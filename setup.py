"""Package nasbnn_det; requirements and version live in their own files."""

import importlib.util
import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

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


def load_build():
    """Return the module that compiles the packed kernels, without importing the package."""
    path = ROOT / 'nasbnn_det' / 'runtime' / 'build.py'
    spec = importlib.util.spec_from_file_location('build_kernels', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildWithKernels(build_py):
    """Compiles the kernels into wheels; an editable install compiles them at the first use."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        kernels = load_build()
        folder = Path(self.build_lib, 'nasbnn_det', 'runtime', 'lib')
        try:
            kernels.build(folder / kernels.LIBRARY_NAME)
            (folder / kernels.STAMP_NAME).write_text(kernels.source_hash())
        except kernels.CompileError as error:
            print(f'the packed kernels are not in this wheel: {error}')


class PlatformWheel(bdist_wheel):
    """A wheel for one platform and any Python, as the kernels know nothing of Python."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = load_build().find_compiler() is None

    def get_tag(self):
        python, abi, platform = super().get_tag()
        return (python, abi, platform) if self.root_is_pure else ('py3', 'none', platform)


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
    cmdclass={'build_py': BuildWithKernels, 'bdist_wheel': PlatformWheel},
    zip_safe=False,
)
