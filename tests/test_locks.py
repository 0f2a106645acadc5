"""Files that several processes write."""
import multiprocessing

from nasbnn_det.files import locked, replace_text


def add_lines(path, number):
    for i in range(number):
        with locked(path.with_suffix('.lock')):
            replace_text(path, path.read_text() + f'{i}\n')


def test_several_processes_add_to_a_file_and_nothing_is_lost(tmp_path):
    path = tmp_path / 'lines.txt'
    path.touch()
    processes = [multiprocessing.get_context('fork').Process(target=add_lines, args=(path, 100)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(map(int, path.read_text().split())) == sorted(3 * list(range(100)))


def test_who_does_not_wait_is_told_that_it_has_no_lock(tmp_path):
    with locked(tmp_path / 'folder' / 'a.lock') as first:
        with locked(tmp_path / 'folder' / 'a.lock', wait=False) as second:
            assert first and not second
    with locked(tmp_path / 'folder' / 'a.lock', wait=False) as third:
        assert third
