"""How long a packed detector takes on this machine."""
import statistics
import time
from typing import Any, Callable, Dict, List, Mapping

from .detector import PackedDetector
from .native_detector import decode
from .preprocess import read_image


def in_turn(runs: Mapping[str, Callable[[], object]],
            rounds: int,
            clock: Callable[[], float] = time.perf_counter,
            calls: int = 1,
            pause: float = 0.0) -> Dict[str, float]:
    """Median seconds of a call of each function; one round runs them all, one after another.

    Args:
        runs (dict[str, Callable]): The functions.
        rounds (int): How often.
        clock (Callable): What is read. Defaults to time that passes.
        calls (int): So many in a row, of which the mean is taken. Defaults to 1.
        pause (float): Seconds before each function, and a call of it that does not count: for runtimes with threads of their
            own, which stay awake for a while. Defaults to 0.

    Raises:
        ValueError: If there is no round.
    """
    if rounds < 1:
        raise ValueError(f'rounds is {rounds}; at least one is wanted')
    times: Dict[str, List[float]] = {name: [] for name in runs}
    for i in range(rounds + 1):
        for name, run in runs.items():
            if pause:
                time.sleep(pause)
                run()
            start = clock()
            for _ in range(calls):
                run()
            if i:  # the first round warms up
                times[name].append((clock() - start) / calls)
    return {name: statistics.median(values) for name, values in times.items()}


def time_detector(detector: PackedDetector, network: Mapping[str, Any], image: Any, rounds: int) -> Dict[str, Any]:
    """Times a detector on one image, and its parts, which are run one by one; reading a file does not count.

    Args:
        detector (PackedDetector): The detector.
        network (Mapping): What its file says of the network: ``info['network']``.
        image: As for a call.
        rounds (int): The medians of so many are given.

    Returns:
        dict: ``milliseconds`` from pixels to boxes; ``parts``, milliseconds of ``preparation``, ``network`` and
        ``decoding``, suppression included; ``boxes``, how many; ``image_size`` and ``input_size``, height and width.
    """
    pixels = read_image(image)
    x = detector.prepare(pixels)
    maps = detector.maps(x.planes)
    seconds = in_turn(dict(
        whole=lambda: detector(pixels),
        preparation=lambda: detector.prepare(pixels),
        network=lambda: detector.maps(x.planes),
        decoding=lambda: decode(network, maps, x.size)), rounds)
    milliseconds = {name: 1e3 * value for name, value in seconds.items()}
    return dict(milliseconds=milliseconds.pop('whole'), parts=milliseconds, boxes=len(detector(pixels).scores),
                image_size=list(pixels.shape[:2]), input_size=list(x.planes.shape[1:]))
