"""Weight sharing: the supernet, its training step, BN recalibration and extraction of subnets."""
from .bi_teacher import bi_teacher_passes
from .checkpoint import file_sha256, load_supernet, save_subnet, save_supernet
from .extract import extract_subnet
from .inference import InferenceSubnet
from .norm import sync_batch_norms
from .packed import PackedInferenceSubnet, PackedSubnet
from .recalibrate import recalibrate_bn
from .subnet import Subnet, build_features
from .supernet import Supernet

__all__ = [
    'InferenceSubnet', 'PackedInferenceSubnet', 'PackedSubnet', 'Subnet', 'Supernet', 'bi_teacher_passes',
    'build_features', 'extract_subnet', 'file_sha256', 'load_supernet', 'recalibrate_bn', 'save_subnet',
    'save_supernet', 'sync_batch_norms'
]
