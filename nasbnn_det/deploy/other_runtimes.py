"""An ONNX file in the runtimes that others deploy with, for comparisons on equal threads.

Each function gives one that computes all outputs of an image, without decoding. The packages are optional: openvino and
nncf, onnxruntime, ncnn and pnnx.
"""
import os
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Sequence, Tuple, Union

import numpy as np

Run = Callable[[], object]
_Path = Union[str, os.PathLike]

#: Random images that 8-bit ranges are taken from: times do not depend on what they show.
_CALIBRATION = 8


def openvino_runs(path: _Path, image: np.ndarray, threads: int,
                  precisions: Sequence[str] = ('f32', 'own', 'int8')) -> Dict[str, Run]:
    """One request at a time on one stream.

    Args:
        path: The ONNX file, with one input.
        image (ndarray): Float32, shape (1, 3, H, W).
        threads (int): Threads of inference.
        precisions (Sequence[str]): 'f32' forbids others; 'own' is what OpenVINO chooses, bfloat16 where the CPU has it;
            'int8' is quantised by NNCF from random images.

    Returns:
        dict[str, Callable]: By precision.
    """
    import openvino as ov
    core, runs = ov.Core(), {}
    for precision in precisions:
        model = core.read_model(str(path))
        model.reshape(list(image.shape))
        if precision == 'int8':
            model = _quantized(model, image.shape)
        options: Dict[str, Any] = dict(INFERENCE_NUM_THREADS=threads, NUM_STREAMS=1, PERFORMANCE_HINT='LATENCY')
        if precision == 'f32':
            options['INFERENCE_PRECISION_HINT'] = 'f32'
        runs[precision] = openvino_run(core.compile_model(model, 'CPU', options), image)
    return runs


def openvino_run(compiled: Any, image: np.ndarray) -> Run:
    """A compiled model on an image that lies in its input."""
    request = compiled.create_infer_request()
    request.set_input_tensor(_tensor(image))
    return request.infer


def _tensor(image: np.ndarray) -> Any:
    import openvino as ov
    return ov.Tensor(np.ascontiguousarray(image), shared_memory=True)


def _quantized(model: Any, shape: Sequence[int]) -> Any:
    import logging

    import nncf
    logging.getLogger('nncf').setLevel(logging.ERROR)
    rng = np.random.default_rng(0)
    images = [rng.standard_normal(shape, dtype=np.float32) for _ in range(_CALIBRATION)]
    return nncf.quantize(model, nncf.Dataset(images), subset_size=_CALIBRATION)


def onnxruntime_run(path: _Path, image: np.ndarray, threads: int) -> Run:
    """In float32; arguments as for :func:`openvino_runs`."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    feed = {session.get_inputs()[0].name: image}
    return lambda: session.run(None, feed)


def ncnn_run(path: _Path, image: np.ndarray, threads: int) -> Run:
    """Converted by pnnx into the folder of the file; arguments as for :func:`openvino_runs`.

    Raises:
        ValueError: If pnnx can't convert the file.
    """
    import ncnn
    import pnnx
    path = Path(path)
    shape = '[' + ','.join(map(str, image.shape)) + ']f32'
    command = [pnnx.EXEC_PATH, path.name, f'inputshape={shape}']
    found = subprocess.run(command, cwd=path.parent, capture_output=True, text=True)
    param, weights = (path.with_name(path.stem.replace('-', '_') + ending) for ending in ('.ncnn.param', '.ncnn.bin'))
    if found.returncode or not param.exists():
        raise ValueError(f"pnnx can't convert '{path.name}' for ncnn: {(found.stderr or found.stdout).strip()[-200:]}")
    net = ncnn.Net()
    net.opt.num_threads = threads
    if net.load_param(str(param)) or net.load_model(str(weights)):
        raise ValueError(f"ncnn can't load '{path.name}' as pnnx converted it")
    names, (given, ) = net.output_names(), net.input_names()
    mat = ncnn.Mat(np.ascontiguousarray(image[0]))

    def run() -> object:
        extractor = net.create_extractor()
        extractor.input(given, mat)
        return [extractor.extract(name) for name in names]

    return run


def binary_convolution_run(channels: int, size: int, threads: int) -> Tuple[Run, np.ndarray]:
    """OpenVINO's own 1-bit convolution, 3 x 3, on a map of random numbers, whose signs are taken first.

    Args:
        channels (int): In and out.
        size (int): Height and width in pixels.
        threads (int): Threads of inference.

    Returns:
        tuple: The function, and the map, float32 of shape (1, channels, size, size).
    """
    import openvino as ov
    from openvino import opset1 as ops
    rng = np.random.default_rng(0)
    data = ops.parameter([1, channels, size, size], np.float32)

    def constant(value: float) -> Any:
        return ops.constant(np.full((1, 1, 1, 1), value, np.float32))

    signs = ops.fake_quantize(data, constant(0.), constant(0.), constant(-1.), constant(1.), 2)
    bits = np.packbits(rng.random((channels, channels, 3, 3)) < 0.5, bitorder='little')
    weight = ov.op.Constant(ov.Tensor(bits, ov.Shape([channels, channels, 3, 3]), ov.Type.u1))
    y = ops.binary_convolution(signs, weight, [1, 1], [1, 1], [1, 1], [1, 1], 'xnor-popcount', 0.)
    compiled = ov.Core().compile_model(ov.Model([y], [data]), 'CPU', dict(INFERENCE_NUM_THREADS=threads, NUM_STREAMS=1))
    image = rng.standard_normal((1, channels, size, size), dtype=np.float32)
    return openvino_run(compiled, image), image
