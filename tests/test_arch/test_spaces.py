"""Search spaces: validation, forms, sizes; the operations of architectures."""
import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_spaces import archs, spaces
from test_arch_values import enumerate_archs, small_space

from nasbnn_det.arch import SPACES, Arch, SearchSpace, StageSpec, get_space, read_space
from nasbnn_det.costs import Ops, conv_macs, count_ops

STEM = [[16], [1], [3], [1], [1], 2]
GOOD = [[16, 32], [1, 2], [3, 5], [1, 2], [1], 2]


def row(**changes):
    """The good row with some entries changed."""
    names = ('channels', 'depths', 'kernels', 'groups1', 'groups2', 'stride')
    return [changes.get(name, value) for name, value in zip(names, GOOD)]


@pytest.mark.parametrize('table, words', [
    ([STEM, row(channels=[])], 'channels is ()'),
    ([STEM, row(depths=[0, 1])], 'depths is (0, 1)'),
    ([STEM, row(channels=[32, 16])], 'channels is (32, 16); a stage needs ascending values'),
    ([STEM, row(groups1=[1, 1])], 'groups1 is (1, 1)'),
    ([STEM, row(groups2=[1.5])], 'groups2 is (1.5,)'),
    ([STEM, row(kernels=[3, 4])], 'kernels is (3, 4); only odd'),
    ([STEM, row(stride=0)], 'stride is 0'),
    ([STEM, row(stride='2')], "stride is '2'"),
    ([STEM, row(groups1=[3])], 'stage 1: 16 channels are not divisible by 3 groups'),
    ([STEM, row(groups2=[5])], 'stage 1: 16 channels are not divisible by 5 groups'),
    ([STEM, GOOD, row(channels=[16])], 'stage 2: the widest choice 16 is narrower than 32'),
    ([STEM], '1 stages; a space needs a stem and one more'),
    ([GOOD, GOOD], 'stage 0 is the stem'),
    ([STEM, 5], 'a space is a list of rows'),
    ([STEM, GOOD[:4]], 'a space is a list of rows'),
    ([STEM, GOOD + [7]], 'a space is a list of rows'),
])
def test_bad_tables(table, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        SearchSpace.from_table(table, 'bad')


def test_narrower_stages_are_allowed_without_the_rule():
    space = SearchSpace.from_table([STEM, GOOD, row(channels=[16])], 'free', non_decreasing=False)
    assert space.allowed_channels(2, 32) == (16, )
    assert Arch.smallest(space).stage_channels == (16, 16, 16)


@given(spaces())
def test_forms_round_trip(space):
    assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space
    assert SearchSpace.from_table(space.to_table(), space.name, space.non_decreasing) == space
    assert get_space(space) is space and get_space(space.to_dict()) == space
    assert len({space, SearchSpace.from_dict(space.to_dict())}) == 1


@given(spaces(non_decreasing=True))
def test_a_table_alone_is_a_non_decreasing_space(space):
    found = get_space(space.to_table())
    assert found.stages == space.stages and found.non_decreasing


def test_names():
    assert all(get_space(name) is space and space.name == name for name, space in SPACES.items())
    with pytest.raises(ValueError, match="'nope'; allowed are cifar, imagenet, small, tiny, or a table"):
        get_space('nope')
    with pytest.raises(ValueError, match=r"\['table'\] missing"):
        SearchSpace.from_dict(dict(name='x'))


def test_strides():
    assert SPACES['imagenet'].strides == (2, 2, 4, 8, 16, 32)


@pytest.mark.parametrize('nd', [True, False])
def test_size_of_a_fixed_space(nd):
    assert small_space(nd).size() == len(enumerate_archs(small_space(nd)))


@given(spaces(max_stages=2, kernels=(3, 5)))
def test_size_equals_brute_force(space):
    assume(SearchSpace.from_table(space.to_table(), 'free', False).size() < 20000 if space.non_decreasing
           else space.size() < 20000)
    assert space.size() == len(enumerate_archs(space))


@pytest.mark.parametrize('nd, size', [(True, '3.3e+17'), (False, '4.0e+21')])
def test_size_of_imagenet(nd, size):
    space = SearchSpace.from_table(SPACES['imagenet'].to_table(), 'imagenet', nd)
    assert f'{space.size():.1e}' == size


# Operations.


def test_weights_of_precisions():
    ops = Ops(float_macs=100, int8_macs=80, bops=640)
    assert (ops.flops, ops.ops, ops.macs) == (110, 120, 820)
    assert ops.binary_share == 640 / 820 and Ops().binary_share == 0
    assert ops + Ops(1, 2, 3) == Ops(101, 82, 643)
    assert conv_macs((3, 5), 8, 4, 2, (7, 9)) == 3 * 5 * 4 * 4 * 7 * 9


@given(archs(), st.integers(5, 70), st.integers(5, 70), st.integers(0, 20))
def test_count_equals_the_formulas(arch, height, width, classes):
    size, bops, channels = [height, width], 0, None
    for i, (spec, blocks) in enumerate(zip(arch.space.stages, arch.stages)):
        size = [-(-x // spec.stride) for x in size]
        pixels = size[0] * size[1]
        for b in blocks:
            if i:
                bops += b.kernel**2 * channels // b.groups1 * channels * pixels
                bops += channels // b.groups2 * b.channels * pixels
            else:
                stem = 27 * b.channels * pixels
            channels = b.channels
    head = classes * (channels + 1) if classes else 0
    assert count_ops(arch, (height, width), classes) == Ops(head, stem, bops)


def test_recorded_imagenet_ops(reference):
    data = json.loads(reference('imagenet_ops.json').read_text())
    space = get_space(data['search_space'])
    assert space.stages == SPACES['imagenet'].stages and len(data['archs']) == 60
    parsed = [Arch.from_release(record['rows'], SPACES['imagenet']) for record in data['archs']]
    assert parsed[0] == Arch.smallest(SPACES['imagenet']) and parsed[1] == Arch.biggest(SPACES['imagenet'])
    for arch, record in zip(parsed, data['archs']):
        found = count_ops(arch, (224, 224), 1000)
        assert [found.flops, found.bops, found.ops] == pytest.approx(
            [record['flops_m'] * 1e6, record['bitops_m'] * 1e6, record['ops_m'] * 1e6], rel=1e-6)


def test_recorded_benchmark_archs(reference):
    data = json.loads(reference('benchmark_archs.json').read_text())
    assert len(data['archs']) == 7
    for record in data['archs']:
        found = count_ops(Arch.from_release(record['rows'], 'imagenet'), (224, 224), 1000)
        assert found.ops == pytest.approx(record['ops_m'] * 1e6, rel=1e-6)
        assert found.bops == pytest.approx(record['bitops_m'] * 1e6, rel=1e-6)


def test_published_range():
    space = SPACES['imagenet']
    ops = [count_ops(a(space), num_classes=1000).ops / 1e6 for a in (Arch.smallest, Arch.biggest)]
    assert ops == pytest.approx([20.77, 331.81], abs=0.005)


def test_stage_spec_lists_become_tuples():
    spec = StageSpec([8, 16], [1], [3, 5], [1], [1, 2], 2)
    assert spec.channels == (8, 16) and spec.block_choices == 4 and hash(spec)


def test_a_space_is_read_by_name_or_file(tmp_path):
    (tmp_path / 'table.json').write_text(json.dumps(SPACES['tiny'].to_table()))
    (tmp_path / 'dict.json').write_text(json.dumps(SPACES['tiny'].to_dict()))
    assert read_space('tiny') == read_space(tmp_path / 'dict.json') == SPACES['tiny']
    assert read_space(tmp_path / 'table.json').stages == SPACES['tiny'].stages


@pytest.mark.parametrize('name, text, error, words', [
    ('none.json', None, FileNotFoundError, 'does not exist; give a JSON file with its table, or one of cifar'),
    ('bad.json', '{', ValueError, 'is no JSON'),
    ('bad.json', '[1]', ValueError, 'a space is a list of rows'),
])
def test_a_file_that_is_no_space_is_named(tmp_path, name, text, error, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(error, match=words):
        read_space(tmp_path / name)
