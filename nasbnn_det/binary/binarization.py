"""How a layer is binarised, as one value: a rule for its weights, one for its activations, and the shift before the sign.

A rule is a frozen dataclass that computes something. It is told from others by its ``type`` and its fields, is written as
JSON beside the weights, and stands in a config as a name or as ``dict(type=..., ...)``. New ones are files of
``binary/rules/``.
"""
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Callable, ClassVar, Dict, Optional, Tuple, Type, TypeVar, Union

import torch
from torch import Tensor

_SHIFTS = ('learned', 'centered', 'none')


@dataclass(frozen=True)
class WeightRule:
    """How a latent float weight becomes signs and a scale per output channel.

    ``rule(weight)`` gives both. A child says what is different from the plain one: the weight's signs, no scale.
    """

    #: Its name in configs and files.
    type: ClassVar[str] = ''
    #: Whether the gradient depends on how far the training has come.
    annealed: ClassVar[bool] = False

    def matrix(self, kernel_size: Tuple[int, int]) -> Optional[Tensor]:
        """Initial value of a learned matrix that :meth:`prepare` gets, for kernels of this size, or None."""
        return None

    def without_matrix(self) -> 'WeightRule':
        """The same rule without a learned matrix."""
        return self

    def prepare(self, weight: Tensor, matrix: Optional[Tensor] = None) -> Tensor:
        """The real weight whose sign is taken; what a teacher with real weights convolves with.

        Args:
            weight (Tensor): Latent, shape (O, I, k, k).
            matrix (Tensor, optional): The learned matrix, if the rule has one and it applies.

        Returns:
            Tensor: Shape (O, I, k, k).
        """
        return weight

    def sign(self, weight: Tensor, progress: float) -> Tensor:
        """Signs of a prepared weight with a surrogate gradient: ±1, shape (O, I, k, k)."""
        raise NotImplementedError

    def scale(self, weight: Tensor) -> Optional[Tensor]:
        """Scale of a prepared weight per output channel, shape (O, ), or None for 1."""
        return None

    def signs_and_scale(self, weight: Tensor, matrix: Optional[Tensor], progress: float) -> Tuple[Tensor, Optional[Tensor]]:
        """Both; a rule that can compute them together does it here."""
        prepared = self.prepare(weight, matrix)
        return self.sign(prepared, progress), self.scale(prepared)

    def __call__(self, weight: Tensor, matrix: Optional[Tensor] = None,
                 progress: Optional[float] = 1.0) -> Tuple[Tensor, Optional[Tensor]]:
        """Binarises a weight, in its own precision whatever autocast says.

        Args:
            weight (Tensor): Latent, shape (O, I, k, k).
            matrix (Tensor, optional): The learned matrix.
            progress (float, optional): Of the training, 0 to 1; None where nobody has said it. Defaults to 1.

        Returns:
            tuple[Tensor, Tensor | None]: Signs of shape (O, I, k, k), and the scale of shape (O, ), None for 1.

        Raises:
            ValueError: If an annealed rule is not told the progress.
        """
        with torch.autocast(weight.device.type, enabled=False):
            return self.signs_and_scale(weight, matrix, _known(self, progress))


@dataclass(frozen=True)
class ActivationRule:
    """The sign of activations with its surrogate gradient; ``rule(x)`` gives ±1."""

    type: ClassVar[str] = ''
    annealed: ClassVar[bool] = False
    #: The name under which the training kernels have its gradient; empty where they don't.
    kernel: ClassVar[str] = ''

    def parameters(self) -> Dict[str, Tensor]:
        """Initial values of what is learned with it, one for the whole layer, by name."""
        return {}

    def sign(self, x: Tensor, progress: float, **parameters: Tensor) -> Tensor:
        """±1, shape of ``x``."""
        raise NotImplementedError

    def __call__(self, x: Tensor, progress: Optional[float] = 1.0, **parameters: Tensor) -> Tensor:
        """Binarises activations.

        Args:
            x (Tensor): Any shape, already shifted.
            progress (float, optional): As for :class:`WeightRule`. Defaults to 1.
            **parameters (Tensor): Those of :meth:`parameters`.

        Returns:
            Tensor: ±1, shape of ``x``.

        Raises:
            ValueError: If an annealed rule is not told the progress.
        """
        return self.sign(x, _known(self, progress), **parameters)


_Rule = Union[WeightRule, ActivationRule]
_Kind = TypeVar('_Kind', Type[WeightRule], Type[ActivationRule])

WEIGHT_RULES: Dict[str, Type[WeightRule]] = {}
ACTIVATION_RULES: Dict[str, Type[ActivationRule]] = {}


def register_rule(rule: _Kind) -> _Kind:
    """Makes a rule known under its ``type``, to configs and files. Used as a decorator.

    Raises:
        ValueError: If the name is taken.
    """
    known: Dict[str, Any] = WEIGHT_RULES if issubclass(rule, WeightRule) else ACTIVATION_RULES
    if rule.type in known:
        raise ValueError(f"rule '{rule.type}' is taken by {known[rule.type].__name__}; choose another type")
    known[rule.type] = rule
    return rule


def _known(rule: _Rule, progress: Optional[float]) -> float:
    if progress is None:
        if rule.annealed:
            raise ValueError(f"the gradient of rule '{rule.type}' changes while the training goes on; add "
                             "dict(type='nasbnn_det.BinarizationProgressHook') to custom_hooks")
        return 1.0
    return progress


def _resolve(spec: Union[str, Dict[str, Any], _Rule], known: Dict[str, Any], what: str) -> Any:
    if isinstance(spec, tuple(known.values())):
        return spec
    spec = dict(type=spec) if isinstance(spec, str) else spec
    if not isinstance(spec, dict) or spec.get('type') not in known:
        name = spec.get('type') if isinstance(spec, dict) else spec
        raise ValueError(f"binarization of {what} by '{name}' is unknown; allowed are {', '.join(sorted(known))}")
    rule, given = known[spec['type']], {key: value for key, value in spec.items() if key != 'type'}
    unknown = sorted(set(given) - {field.name for field in fields(rule)})
    if unknown:
        raise ValueError(f"rule '{rule.type}' of {what} has no {', '.join(unknown)}; allowed are "
                         f"{', '.join(field.name for field in fields(rule)) or 'no options'}")
    return rule(**given)


@dataclass(frozen=True)
class Binarization:
    """How a layer is binarised; equal by value.

    Args:
        weights (WeightRule): From the latent weight to signs and a scale.
        activations (ActivationRule): From activations to signs.
        shift (str): Of the activations before their sign: 'learned' per channel (ReActNet's RSign); 'centered', which is
            learned too and begins at minus the mean of the first training batch, for inputs such as a ReLU's; 'none'.
            Defaults to 'learned'.

    Raises:
        ValueError: If the shift is unknown.
    """
    weights: WeightRule
    activations: ActivationRule
    shift: str = 'learned'

    def __post_init__(self) -> None:
        if self.shift not in _SHIFTS:
            raise ValueError(f"shift '{self.shift}' is unknown; allowed are {', '.join(_SHIFTS)}")

    @property
    def is_float(self) -> bool:
        """Whether nothing is binarised: the full-precision counterpart."""
        return self.weights.type == 'float'

    @property
    def annealed(self) -> bool:
        """Whether a gradient depends on how far the training has come."""
        return self.weights.annealed or self.activations.annealed

    def without_matrix(self) -> 'Binarization':
        """The same without a learned matrix."""
        return replace(self, weights=self.weights.without_matrix())

    def to_dict(self) -> Dict[str, Any]:
        """JSON-ready form, which :func:`get_binarization` reads."""
        return dict(weights=dict(type=self.weights.type, **asdict(self.weights)),
                    activations=dict(type=self.activations.type, **asdict(self.activations)), shift=self.shift)

    def __str__(self) -> str:
        return f'{_brief(self.weights)} weights, {_brief(self.activations)} activations, shift {self.shift}'


def _brief(rule: _Rule) -> str:
    options = ', '.join(f'{key}={value}' for key, value in asdict(rule).items())
    return f'{rule.type}({options})' if options else rule.type


#: What a config or a caller may give, see :func:`get_binarization`.
Binarizes = Union[Binarization, str, Dict[str, Any]]

#: Whole values by the name of the network of the literature that they come from.
BINARIZATIONS: Dict[str, Callable[[], Binarization]] = {}


def get_binarization(spec: Binarizes) -> Binarization:
    """Resolves what a config may give.

    Args:
        spec: A :class:`Binarization`; a name in ``BINARIZATIONS``, as 'nasbnn' or 'float'; or a dict with what differs from
            a named one: ``dict(type='xnor', activations='quadratic')``. Without ``type`` it is 'standardized'. ``weights``
            and ``activations`` are names or dicts with ``type`` and the rule's options.

    Raises:
        ValueError: If a name or a key is unknown.
    """
    if isinstance(spec, Binarization):
        return spec
    given = dict(spec) if isinstance(spec, dict) else dict(type=spec)
    name = given.pop('type', 'standardized')
    if name not in BINARIZATIONS:
        raise ValueError(f"binarization '{name}' is unknown; allowed are {', '.join(sorted(BINARIZATIONS))}")
    unknown = sorted(set(given) - {'weights', 'activations', 'shift'})
    if unknown:
        raise ValueError(f"a binarization has no {', '.join(unknown)}; allowed are type, weights, activations, shift")
    if 'weights' in given:
        given['weights'] = _resolve(given['weights'], WEIGHT_RULES, 'weights')
    if 'activations' in given:
        given['activations'] = _resolve(given['activations'], ACTIVATION_RULES, 'activations')
    return replace(BINARIZATIONS[name](), **given)
