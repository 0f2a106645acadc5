"""Each message that docs/troubleshooting.md explains is one that the sources can say."""
import ast
import errno
import importlib.util
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'troubleshooting.md').read_text(encoding='utf-8')
#: (message, the module of another package that says it or '')
MESSAGES = [(message, (re.search(r' \(([\w.]+)\)$', line) or ['', ''])[1])
            for line in re.findall(r'^\* (.+)$', PAGE, re.M) for message in re.findall(r'`([^`]+)`', line)]
SYSTEM = {os.strerror(number) for number in errno.errorcode}
VARIES = '\0'


def template(node):
    """A string expression as text, with a mark for what varies; None if it is no string."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return ''.join(part.value if isinstance(part, ast.Constant) else VARIES for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [template(node.left), template(node.right)]
        return None if sides == [None, None] else ''.join(side or VARIES for side in sides)
    return None


def python_texts(file):
    nodes = ast.walk(ast.parse(file.read_text(encoding='utf-8')))
    return {' '.join(text.split()) for text in map(template, nodes) if text}


def own_texts():
    python = [file for folder in ('nasbnn_det', 'tools') for file in (ROOT / folder).rglob('*.py')]
    found = set().union(*(python_texts(file) for file in python if '.mim' not in file.parts))
    for file in (ROOT / 'nasbnn_det' / 'native' / 'csrc').glob('*.cpp'):
        found.add(re.sub(r'"\s+"', '', file.read_text(encoding='utf-8')))
    return found | set((ROOT / 'Makefile').read_text(encoding='utf-8').splitlines())


def says(text, message):
    """Whether the fixed parts of a message stand in a text, in their order."""
    parts = [re.escape(part) for part in message.split('...')]
    return re.search(f'.*{VARIES}.*'.join(parts) if VARIES in text else '.*'.join(parts), text) is not None


@pytest.fixture(scope='module')
def texts():
    return own_texts()


@pytest.mark.parametrize('message, module', MESSAGES, ids=[message for message, _ in MESSAGES])
def test_the_sources_say_it(message, module, texts):
    assert len(message.replace('...', '')) >= 12, 'too short to be found'
    if module:
        if importlib.util.find_spec(module.partition('.')[0]) is None:
            pytest.skip(f'{module} is not installed')
        assert any(says(text, message) for text in python_texts(Path(importlib.util.find_spec(module).origin)))
    else:
        assert message in SYSTEM or any(says(text, message) for text in texts)


def test_a_message_that_nothing_says_is_found(texts):
    assert len(MESSAGES) > 50
    assert not any(says(text, "image '...' is far too beautiful: it must be ...") for text in texts)
    assert not any(says(text, "it must be ..., but image '...' is truncated") for text in texts)
