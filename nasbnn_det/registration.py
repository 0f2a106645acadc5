"""Makes the names ``nasbnn_det.X`` known to MMEngine's registries: at once where MMEngine is imported already, else as soon
as somebody imports it. So a process that only detects imports neither MMEngine nor PyTorch. Standard library only."""
import sys
import warnings
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Optional

_AWAITED = 'mmengine'


def register() -> None:
    """Registers the names now, or when MMEngine is imported."""
    if _AWAITED in sys.modules:
        if sys.modules[_AWAITED] is not None:
            _import_registry()
    else:
        sys.meta_path.insert(0, _AfterImport())


def _import_registry() -> None:
    try:
        import_module(f'{__package__}.registry')
    except Exception as error:  # the packed runtime still works
        warnings.warn(f"configs don't find the names of nasbnn_det: its registry can't be imported: {error}", stacklevel=2)


class _AfterImport(MetaPathFinder):
    """Lets others find MMEngine, and registers when it has been loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        if name != _AWAITED:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            _import_registry()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
