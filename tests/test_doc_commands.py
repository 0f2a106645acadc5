"""Each command of README and docs is one that its tool understands: files, options, settings and targets are there."""
import argparse
import inspect
import re
import runpy
import sys
from functools import lru_cache
from unittest import mock

import doc_commands
import pytest
from doc_commands import ROOT

pytest.importorskip('mmdet')

#: Words in capitals that stand for what a user puts there.
PLACEHOLDER = re.compile(r'\[?[A-Z][A-Z_]*\]?$')
#: Commands of others, of which their name is all that is known here; what a compiler made.
OTHERS = {'tensorboard', './detect', './check', 'pre-commit'}
#: Configs of all kinds: a setting that a page names within a sentence is one of theirs.
KINDS = ['supernet/*_shapes-48.py', 'supernet/*_in1k-224.py', 'search/*_shapes-48.py',
         'detection/rtmdet/rtmdet_nasbnn-tiny_*_shapes-128.py',
         'detection/rtmdet/*-distilled*_shapes-128.py', 'nasb/nasb-search-r18-*_shapes-48.py', 'finetune/*_in1k-224.py']


class Parsed(BaseException):
    """A tool read its command line; what follows is not run."""


class Misread(Exception):
    """A tool can't read its command line."""


def read_by_the_tool(path, arguments, inline):
    """What the tool's own parser makes of the arguments; None if some are left out and the others are known."""
    read = argparse.ArgumentParser.parse_args

    def parse(self, args=None, namespace=None):
        raise Parsed(read(self, args, namespace))

    def error(self, message):
        if inline and message.startswith('the following arguments are required'):
            unknown = set(filter(is_option, arguments)) - options_of(self)
            raise Misread(f'options {sorted(unknown)} are unknown') if unknown else Parsed(None)
        raise Misread(message)

    with mock.patch.object(argparse.ArgumentParser, 'parse_args', parse), mock.patch.object(
            argparse.ArgumentParser, 'error', error), mock.patch.object(sys, 'argv', [str(path), *arguments]), \
            mock.patch.object(sys, 'path', [str(path.parent), *sys.path]):
        try:
            if path.name == '__main__.py':
                runpy.run_module(path.parent.name, run_name='__main__')
            else:
                runpy.run_path(str(path), run_name='__main__')
        except Parsed as parsed:
            return parsed.args[0]
    raise Misread('it reads no command line')


def is_option(word):
    return word.startswith('--')


def options_of(parser):
    """Options of a parser and of its subcommands."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(*map(options_of, action.choices.values()))
    return found


@lru_cache(maxsize=None)
def read_config(path):
    from mmengine.config import Config
    return Config.fromfile(path)


def takes(value, name):
    """Whether the class that a dict of a config names takes an argument of this name."""
    import mmengine.registry as known
    kind = value.get('type')
    registries = [entry for entry in vars(known).values() if isinstance(entry, known.Registry)]
    found = kind if inspect.isclass(kind) else next(filter(None, (entry.get(kind) for entry in registries)), None)
    return inspect.isclass(found) and any(name in inspect.signature(base.__init__).parameters for base in found.__mro__)


def has_setting(cfg, dotted):
    """Whether a setting is in a config, or would be an argument of what the config names there."""
    from mmengine.runner import Runner
    value, parts = cfg, dotted.split('.')
    for i, name in enumerate(parts):
        if isinstance(value, (list, tuple)):
            value = value[int(name)]
        elif i and parts[i - 1] == 'init_cfg':
            return name in ('type', 'checkpoint', 'prefix')
        elif name in value:
            value = value[name]
        else:
            known = inspect.signature(Runner.__init__).parameters if i == 0 else ()
            return name in known or 'type' in value and takes(value, name)
    return True


def check_python(words, inline):
    path = words[0]
    if path == '-m':
        if words[1] == 'pytest':
            assert all((ROOT / word).exists() for word in words[2:]), f'{words[2:]} are not all there'
            return
        path, words = f'{words[1]}/__main__.py', words[1:]
    elif '/' not in path:  # named by its last name within a sentence
        path, = {str(file) for file in (ROOT / 'tools').rglob(path)}
    path = ROOT / path
    assert path.is_file(), f'{path} is not there'
    if 'ArgumentParser' not in path.read_text(encoding='utf-8') and path.name != '__main__.py':
        return
    args = read_by_the_tool(path, ['1' if PLACEHOLDER.match(word) else word for word in words[1:]], inline)
    check_settings(getattr(args, 'config', None), getattr(args, 'cfg_options', None))


def check_settings(config, settings):
    if not settings or not str(config).startswith('configs/') or '...' in config:
        return
    from mmengine.registry import DefaultScope, init_default_scope
    cfg = read_config(str(ROOT / config))
    DefaultScope._instance_dict.clear()
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    unknown = [name for name in settings if not has_setting(cfg, name)]
    assert not unknown, f'{config} has no {unknown}'


def is_known_somewhere(setting):
    """Whether a config of some kind has a setting."""
    from mmengine.registry import DefaultScope, init_default_scope
    for path in sorted(file for kind in KINDS for file in (ROOT / 'configs').glob(kind)):
        cfg = read_config(str(path))
        DefaultScope._instance_dict.clear()
        init_default_scope(cfg.get('default_scope', 'mmengine'))
        try:
            if has_setting(cfg, setting):
                return True
        except (KeyError, TypeError, ValueError, IndexError):  # this config has something else there
            pass
    return False


def check_make(words, inline):
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    targets = re.findall(r'^([a-z-]+):.*## ', makefile, re.M)
    variables = re.findall(r'^([A-Z]+) \?=', makefile, re.M) + ['CXX']
    for word in words:
        name, equals, _ = word.partition('=')
        assert name in (variables if equals else targets), f'make knows no {name}'


def check_pip(words, inline):
    extras = re.findall(r'^([a-z]+) = \[', (ROOT / 'pyproject.toml').read_text(encoding='utf-8').partition(
        '[project.optional-dependencies]')[2].partition('[dependency-groups]')[0], re.M)
    for word in words:
        extra = re.match(r'(?:\.|nasbnn_det)\[([\w,]+)\]$', word)
        assert not extra or set(extra[1].split(',')) <= set(extras), f'pyproject.toml has no extra {extra[1]}'
        assert not word.startswith('./') or (ROOT / word).is_dir(), f'{word} is not there'


def check_mim(words, inline):
    assert words[0] in ('train', 'test', 'download')
    if len(words) > 1:
        found = list((ROOT / 'configs').rglob(words[2]))
        assert words[1] == 'nasbnn_det' and len(found) == 1, f'{words[2]} is not one config'


def check_compiler(words, inline):
    for word in words:
        made = word.startswith(('out/', 'libnasbnn_kernels'))
        assert '/' not in word or word.startswith('-') or made or (ROOT / word).exists(), f'{word} is not there'


def check_script(script, words, inline):
    """A script that starts train.py or test.py with what it doesn't take itself, as its first lines say."""
    usage = re.search(rf'{script.name} ((?:[A-Z_]+ )+)\[arguments of (\w+.py)\]', script.read_text(encoding='utf-8'))
    names = usage[1].split()
    if len(words) < len(names):
        assert inline and not words, f'{script.name} takes {" ".join(names)}'
        return
    given = dict(zip(names, words))
    count = given.get('GPUS', '1')
    assert count.isdigit() or PLACEHOLDER.match(count), f'{count} is no number of processes'
    passed = [given['CONFIG'], *(given[name] for name in names if name == 'CHECKPOINT'), *words[len(names):]]
    check_python([f'tools/{usage[2]}', *passed], inline)


CHECKS = {'python': check_python, 'make': check_make, 'pip': check_pip, 'uv': check_pip, 'mim': check_mim,
          'cc': check_compiler, 'nasbnn-det': lambda words, inline: check_python(['-m', 'nasbnn_det', *words], inline)}


def check(command, inline):
    """Raises an error that says what is wrong with a command."""
    name, words = command[0], command[1:]
    for word in words:
        if word.startswith('configs/'):
            there = (ROOT / word.removesuffix('...')).exists()
            assert there, f'{word} is not there'
    if name.startswith('tools/'):
        assert (ROOT / name).is_file(), f'{name} is not there'
        check_script(ROOT / name, words, inline)
    elif name in CHECKS:
        CHECKS[name](words, inline)
    else:
        assert name in OTHERS, f'{name} is no command'


def problems(line):
    try:
        for command in doc_commands.words(line):
            check(command, line.inline)
    except (AssertionError, Misread, ValueError) as error:
        return [f'{line.page}: {line.text}: {error}']
    return []


@pytest.mark.parametrize('page', doc_commands.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_right(page):
    found = [problem for line in doc_commands.shell_lines(page) for problem in problems(line)]
    assert not found, '\n'.join(found)


@pytest.mark.parametrize('page', doc_commands.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_settings_that_a_page_names_are_there(page):
    text = page.read_text(encoding='utf-8')
    settings = {name for span in re.findall(r'`((?:--cfg-options )?[a-z_]+\.[\w.]+=[^`]+)`', text)
                for name in re.findall(r'(?:^|\s)([a-z_]+(?:\.\w+)+)=', span)}
    assert not [name for name in sorted(settings) if not is_known_somewhere(name)]


def test_a_wrong_setting_is_found():
    assert is_known_somewhere('train_cfg.max_epochs') and is_known_somewhere('model.backbone.frozen_stages')
    assert not is_known_somewhere('train_cfg.epochs') and not is_known_somewhere('model.backbone.frozen')


@pytest.mark.parametrize('text, words', [
    ('.venv/bin/python tools/training.py CONFIG', 'training.py is not there'),
    ('.venv/bin/python tools/train.py configs/detection/none.py', 'none.py is not there'),
    ('.venv/bin/python tools/train.py CONFIG --workdir x', 'unrecognized arguments: --workdir'),
    ('.venv/bin/python tools/train.py', 'arguments are required: config'),
    ('.venv/bin/python tools/train.py $(echo configs/supernet/nasbnn-*_shapes-48.py) --cfg-options train_cfg.epochs=1',
     "no ['train_cfg.epochs']"),
    ('.venv/bin/nasbnn-det detect FILE', 'arguments are required: IMAGE'), ('make everything', 'make knows no everything'),
    ("pip install '.[all]'", 'no extra all'), ('mim train nasbnn_det none.py', 'none.py is not one config'),
    ('tools/dist_train.sh CONFIG', 'takes CONFIG GPUS'), ('traine x', 'traine is no command'),
    ('make "', "bash can't read")])
def test_a_wrong_command_is_found(text, words):
    problem, = problems(doc_commands.Line('page', text, (), False))
    assert words in problem


def test_what_is_left_out_within_a_sentence_is_no_mistake():
    assert not problems(doc_commands.Line('page', 'tools/train.py --amp', (), True))
    assert problems(doc_commands.Line('page', 'tools/train.py --bfloat', (), True))
