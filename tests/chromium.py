"""A headless Chromium that tests drive through its debugging pipe, without any other package."""
import contextlib
import json
import os
import shutil
import subprocess
from typing import Any, Iterator

EXECUTABLE = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)


class Browser:
    """A page in a running Chromium.

    Args:
        send (int): File descriptor that the browser reads commands from.
        receive (int): File descriptor that it answers on.
    """

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive = send, os.fdopen(receive, 'rb')
        self._number, self._session = 0, None
        self.events: list = []
        target = self.command('Target.createTarget', url='about:blank')['targetId']
        self._session = self.command('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.command(f'{domain}.enable')

    def command(self, method: str, **params: Any) -> Any:
        """A command of the DevTools protocol; returns its result. Events that come before go to ``events``."""
        self._number += 1
        message = dict(id=self._number, method=method, params=params)
        if self._session:
            message['sessionId'] = self._session
        os.write(self._send, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._read()
            if answer.get('id') == self._number:
                assert 'error' not in answer, answer
                return answer['result']

    def open(self, url: str) -> None:
        """Loads a page and waits for the end of it."""
        self.events.clear()
        self.command('Page.navigate', url=url)
        while not any(event['method'] == 'Page.loadEventFired' for event in self.events):
            self._read()

    def run(self, expression: str) -> Any:
        """What a JavaScript expression is worth; a promise is waited for."""
        result = self.command('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def click(self, selector: str) -> None:
        """Clicks with the mouse in the middle of an element."""
        self.run(f'document.querySelector({selector!r}).scrollIntoView({{block: "center", behavior: "instant"}})')
        x, y = self.run(f'(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect(); '
                        'return [b.x + b.width / 2, b.y + b.height / 2]; })()')
        for kind in ('mousePressed', 'mouseReleased'):
            self.command('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left', clickCount=1)

    def requests(self) -> list:
        """Addresses that the page asked for."""
        return [event['params']['request']['url'] for event in self.events if event['method'] == 'Network.requestWillBeSent']

    def complaints(self) -> list:
        """Errors that the page ran into."""
        return [event for event in self.events if event['method'] in ('Runtime.exceptionThrown', 'Log.entryAdded')]

    def _read(self) -> dict:
        text = bytearray()
        while (byte := self._receive.read(1)) != b'\0':
            assert byte, 'the browser has gone'
            text += byte
        message = json.loads(text)
        if 'method' in message:
            self.events.append(message)
        return message


@contextlib.contextmanager
def chromium(profile: os.PathLike) -> Iterator[Browser]:
    """Runs a browser with its own empty profile.

    Args:
        profile: Folder for it.
    """
    commands, send = os.pipe()
    receive, answers = os.pipe()

    def in_place() -> None:
        for source, target in ((os.dup(commands), 3), (os.dup(answers), 4)):
            os.dup2(source, target)

    process = subprocess.Popen(
        [EXECUTABLE, '--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', f'--user-data-dir={profile}',
         '--window-size=1100,1400'],
        preexec_fn=in_place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(commands)
    os.close(answers)
    try:
        yield Browser(send, receive)
    finally:
        process.kill()
        process.wait()
        os.close(send)
