"""Child registries of MMEngine's roots, scope ``nasbnn_det``.

A config names our components as ``type='nasbnn_det.NASBNN'``; the modules in ``locations`` are imported
when a registry is first asked.
"""
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

from .safe_load import allow_log_history

MODELS = Registry('model', parent=MMENGINE_MODELS, scope='nasbnn_det', locations=['nasbnn_det.models'])
MODEL_WRAPPERS = Registry('model_wrapper', parent=MMENGINE_MODEL_WRAPPERS, scope='nasbnn_det',
                          locations=['nasbnn_det.models'])
DATASETS = Registry('dataset', parent=MMENGINE_DATASETS, scope='nasbnn_det',
                    locations=['nasbnn_det.datasets.checked_coco', 'nasbnn_det.datasets.shapes_coco'])
TRANSFORMS = Registry('transform', parent=MMENGINE_TRANSFORMS, scope='nasbnn_det',
                      locations=['nasbnn_det.datasets.transforms'])
FUNCTIONS = Registry('function', parent=MMENGINE_FUNCTIONS, scope='nasbnn_det', locations=['nasbnn_det.datasets.collate'])
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope='nasbnn_det',
                 locations=['nasbnn_det.engine.loops'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor', parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS, scope='nasbnn_det',
    locations=['nasbnn_det.engine.optim'])
OPTIM_WRAPPERS = Registry('optimizer wrapper', parent=MMENGINE_OPTIM_WRAPPERS, scope='nasbnn_det',
                          locations=['nasbnn_det.engine.optim'])
METRICS = Registry('metric', parent=MMENGINE_METRICS, scope='nasbnn_det',
                   locations=['nasbnn_det.evaluation.fast_coco_metric'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='nasbnn_det', locations=['nasbnn_det.engine.hooks'])

# So that MMEngine's runner can resume.
allow_log_history()
# So that a config can begin with _base_ = 'nasbnn_det::...'. MMEngine looks for a distribution of the name that stands
# here; an editable one's folder is not the package's. As none has a module's name, it asks where that module lies.
MODULE2PACKAGE.setdefault('nasbnn_det', 'nasbnn_det.registry')

__all__ = [
    'MODELS', 'MODEL_WRAPPERS', 'DATASETS', 'TRANSFORMS', 'LOOPS', 'OPTIM_WRAPPER_CONSTRUCTORS', 'OPTIM_WRAPPERS', 'METRICS',
    'HOOKS'
]
