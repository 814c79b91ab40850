"""Where the page listens, what it writes and what a browser may load."""

import os
import socket
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from mmseg_zsclip.web.inputs import MOST_BYTES
from mmseg_zsclip.web.own_folder import own_folder
from mmseg_zsclip.web.serving import POLICY, bound


def test_the_page_has_a_folder_of_its_own_that_is_removed():
    before = tempfile.gettempdir(), os.environ.get('TMPDIR'), os.environ.get('GRADIO_TEMP_DIR')
    with own_folder() as folder:
        assert tempfile.gettempdir() == os.environ['GRADIO_TEMP_DIR'] == folder
        (Path(folder) / 'photo.png').write_bytes(b'')
    assert not Path(folder).exists()
    after = tempfile.gettempdir(), os.environ.get('TMPDIR'), os.environ.get('GRADIO_TEMP_DIR')
    assert after == before


def test_a_port_in_use_and_a_strange_address_are_told():
    with bound('127.0.0.1', 0) as one:
        port = one.getsockname()[1]
        with pytest.raises(OSError, match=f'cannot listen on 127.0.0.1, port {port} .*free --port'):
            bound('127.0.0.1', port)
    for host, port in (('127.0.0.1', 70_000), ('192.0.2.1', 0)):
        with pytest.raises(OSError, match=f'cannot listen on {host}, port {port}'):
            bound(host, port)


def test_the_page_is_reached_from_this_machine_alone(served):
    port = int(served.url.rpartition(':')[2])
    assert served.url == f'http://127.0.0.1:{port}'
    with pytest.raises(ConnectionRefusedError), socket.create_connection(('127.0.0.2', port), 5):
        pass


def test_every_answer_forbids_what_is_elsewhere(served):
    httpx = pytest.importorskip('httpx')
    for path in ('/', '/config', '/theme.css'):
        answer = httpx.get(served.url + path, trust_env=False)
        assert answer.status_code == 200
        assert answer.headers['Content-Security-Policy'] == POLICY
    assert 'http' not in POLICY


def test_a_file_that_is_too_heavy_is_refused_whoever_sends_it(served, tmp_path):
    httpx = pytest.importorskip('httpx')
    files = dict(files=('heavy.png', b'\0' * (MOST_BYTES + 1)))
    answer = httpx.post(f'{served.url}/gradio_api/upload', files=files, timeout=60, trust_env=False)
    assert answer.status_code == 413


def test_files_of_the_machine_are_not_served(served):
    httpx = pytest.importorskip('httpx')
    for place in (Path(__file__).resolve(), Path('/etc/passwd'), served.root / 'log'):
        answer = httpx.get(f'{served.url}/gradio_api/file={place}', trust_env=False)
        assert answer.status_code in (403, 404), place


def test_a_photo_of_the_machine_is_not_shown_whatever_path_is_sent(served):
    """As an upload sends it, but with a path that nobody uploaded."""
    httpx = pytest.importorskip('httpx')
    Image.new('RGB', (31, 17)).save(served.root / 'work' / 'secret.png')
    before = len(served.connected())
    for place in (served.root / 'work' / 'secret.png', served.root / 'log', 'http://192.0.2.1/a'):
        sent = dict(
            data=[dict(path=str(place), meta=dict(_type='gradio.FileData'))],
            fn_index=0,
            session_hash='one',
        )
        answer = httpx.post(
            f'{served.url}/gradio_api/run/predict', json=sent, timeout=60, trust_env=False
        )
        assert answer.status_code == 500
        assert 'was not uploaded' in answer.text
        assert '31 x 17' not in answer.text
        assert 'decoded' not in answer.text
    assert len(served.connected()) == before
