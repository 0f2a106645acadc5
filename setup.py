"""What pyproject.toml can't say: wheels hold the compiled kernels, and configs and tools where MIM looks for them."""

import importlib.util
import shutil
from pathlib import Path

import setuptools
from setuptools import setup

if int(setuptools.__version__.split('.')[0]) < 77:
    raise SystemExit(f'setuptools>=77 is needed to build nasbnn_det, this is {setuptools.__version__}: '
                     'pip install "setuptools>=77,<82", or leave out --no-build-isolation')

from setuptools.command.bdist_wheel import bdist_wheel  # noqa: E402
from setuptools.command.build_py import build_py  # noqa: E402

ROOT = Path(__file__).resolve().parent


def load_build():
    """Return the module that compiles the packed kernels, without importing the package."""
    path = ROOT / 'nasbnn_det' / 'native' / 'build.py'
    spec = importlib.util.spec_from_file_location('build_kernels', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildWheelParts(build_py):
    """Adds to wheels what is no module; a checkout compiles the kernels at the first use and has links to the folders."""

    def run(self):
        super().run()
        if not self.editable_mode:
            self.copy_mim()
            self.compile_kernels()

    def copy_mim(self):
        """Copies configs and tools to nasbnn_det/.mim, where MIM and configs that begin with nasbnn_det:: find them."""
        folder = Path(self.build_lib, 'nasbnn_det', '.mim')
        shutil.rmtree(folder, ignore_errors=True)
        for name in ('configs', 'tools'):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(ROOT / 'model-index.yml', folder)

    def compile_kernels(self):
        """Puts the kernels' library beside its sources, if there is a compiler."""
        kernels = load_build()
        folder = Path(self.build_lib, 'nasbnn_det', 'native', 'lib')
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


setup(cmdclass={'build_py': BuildWheelParts, 'bdist_wheel': PlatformWheel})
