"""Times one binary 3 x 3 convolution, batch norm included, in larq-compute-engine's interpreter; prints one JSON line.

For a Python environment of its own, which benchmark_packed.py names by --larq: it needs larq-compute-engine, larq,
tensorflow and tf-keras, and neither PyTorch nor this package.
"""
import argparse
import json
import os
import statistics
import time

os.environ['TF_USE_LEGACY_KERAS'] = '1'  # larq knows Keras 2 alone
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import larq  # noqa: E402
import larq_compute_engine  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from larq_compute_engine.tflite.python.interpreter import Interpreter  # noqa: E402


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--channels', type=int, default=128)
    parser.add_argument('--size', type=int, default=56, help='height and width of the map in pixels')
    parser.add_argument('--rounds', type=int, default=15)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    shape = (args.size, args.size, args.channels)
    model = tf.keras.Sequential([
        tf.keras.layers.Input(shape, batch_size=1),
        larq.layers.QuantConv2D(args.channels, 3, padding='same', pad_values=1, use_bias=False,
                                input_quantizer='ste_sign', kernel_quantizer='ste_sign', kernel_constraint='weight_clip'),
        tf.keras.layers.BatchNormalization(),
    ])
    interpreter = Interpreter(larq_compute_engine.convert_keras_model(model), num_threads=1)
    x = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    times = []
    for i in range(args.rounds + 1):
        start = time.perf_counter()
        interpreter.predict(x)
        if i:  # the first round warms up
            times.append(time.perf_counter() - start)
    print(json.dumps(dict(seconds=statistics.median(times), version=larq_compute_engine.__version__)))


if __name__ == '__main__':
    main()
