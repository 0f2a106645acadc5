"""Networks with numbers as after a training."""
import torch
from torch import nn

from nasbnn_det.binary import BinaryConv2d, RPReLU


def shake(model: nn.Module, seed: int = 0) -> nn.Module:
    """Gives shifts, slopes and batch norms values as after a training; evaluation mode."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor, low, high):
        tensor.data.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            uniform(module.running_mean, -1, 1)
            uniform(module.running_var, 0.5, 20)
            uniform(module.weight, 0.5, 1.5)
            uniform(module.bias, -0.5, 0.5)
        elif isinstance(module, RPReLU):
            uniform(module.bias_in, -0.3, 0.3)
            uniform(module.slope, -0.2, 0.5)
            uniform(module.bias_out, -0.3, 0.3)
        elif isinstance(module, BinaryConv2d):
            uniform(module.sign.bias, -0.3, 0.3)
    return model.eval()
