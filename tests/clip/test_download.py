import hashlib
import os
import socket
import urllib.request
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mmseg_zsclip.clip import download
from mmseg_zsclip.clip.archs import CLIP_MEAN, CLIP_STD, Published
from mmseg_zsclip.clip.download import (
    DownloadError,
    NotPublished,
    cache_dir,
    fetch,
    fetch_hub,
    fetch_published,
    is_offline,
    published_sha256,
    verify,
)

BODY = b'\x80\x02' + b'weights' * 1000  # as a pickle begins
SHA = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `routes`: path -> (status, headers, body, bytes really sent)."""

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.routes, self.asked = {}, []
        self.url = f'http://127.0.0.1:{self.server_port}'

    def put(self, path, body=BODY, status=200, sent=None, **headers):
        self.routes[path] = (status, headers, body, len(body) if sent is None else sent)
        return self.url + path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, headers, body, sent = self.server.routes.get(self.path, (404, {}, b'', 0))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    for name in ('ZSCLIP_OFFLINE', 'HF_HUB_OFFLINE', 'http_proxy', 'HTTP_PROXY', 'all_proxy'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('ZSCLIP_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'hf'))


def files(folder):
    """Names in a folder, locks and digests aside."""
    return sorted(p.name for p in folder.glob('*') if not p.name.endswith(('.lock', '.sha256')))


def test_download_is_verified_and_cached(server, tmp_path):
    url = server.put(f'/{SHA}/a.pt')
    target = tmp_path / 'deep' / 'a.pt'
    assert fetch(url, target) == target
    assert target.read_bytes() == BODY
    fetch(url, target)
    assert len(server.asked) == 1
    assert files(target.parent) == ['a.pt']
    assert (tmp_path / 'deep' / 'a.pt.sha256').read_text().startswith(SHA)


def test_wrong_digest_keeps_nothing(server, tmp_path):
    url = server.put(f'/{"0" * 64}/a.pt')
    with pytest.raises(DownloadError, match=f'SHA-256 of what arrived is {SHA}, expected 0000'):
        fetch(url, tmp_path / 'b' / 'a.pt')
    assert files(tmp_path / 'b') == []


def test_truncated_transfer_keeps_nothing(server, tmp_path):
    url = server.put('/a.pt', sent=100)
    with pytest.raises(DownloadError, match=r'a.pt'):
        fetch(url, tmp_path / 'b' / 'a.pt')
    assert files(tmp_path / 'b') == []


def test_digest_in_the_file_name(server, tmp_path):
    url = server.put(f'/vit_b_16-laion-{SHA[:8]}.pt')
    assert published_sha256(url) == SHA[:8]
    fetch(url, tmp_path / 'a.pt')
    bad = server.put('/vit_b_16-laion-01234567.pt')
    with pytest.raises(DownloadError, match='expected 01234567'):
        fetch(bad, tmp_path / 'b.pt')
    assert published_sha256('https://x/b16_400m.pt') == ''


def test_later_damage_of_a_file_without_published_digest_is_found(server, tmp_path):
    url = server.put('/b16_400m.pt')
    target = fetch(url, tmp_path / 'b16_400m.pt')
    target.write_bytes(BODY[:-1])
    with pytest.raises(DownloadError, match=f'b16_400m.pt .* is damaged.*expected {SHA}. Remove'):
        fetch(url, target)


def test_digests_are_not_computed_again_while_the_file_is_untouched(server, tmp_path, monkeypatch):
    target = fetch(server.put('/a.pt'), tmp_path / 'a.pt')
    counted = []
    monkeypatch.setattr(download, 'sha256_of', lambda path: counted.append(path) or SHA)
    verify(target)
    assert not counted
    os.utime(target, (1, 1))
    verify(target)
    verify(target)
    assert len(counted) == 1


def test_file_put_by_hand_is_checked_too(tmp_path):
    target = tmp_path / 'a.pt'
    target.write_bytes(BODY)
    assert fetch(f'http://127.0.0.1:9/{SHA}/a.pt', target) == target
    (tmp_path / 'b.pt').write_bytes(b'other')
    with pytest.raises(DownloadError, match='is damaged'):
        fetch(f'http://127.0.0.1:9/{SHA}/b.pt', tmp_path / 'b.pt')


@pytest.mark.parametrize('name', ['ZSCLIP_OFFLINE', 'HF_HUB_OFFLINE'])
def test_offline_switch_makes_no_connection_and_says_where_to_put_the_file(
    name, server, tmp_path, monkeypatch
):
    monkeypatch.setenv(name, '1')
    assert is_offline()
    url = server.put('/a.pt')
    with pytest.raises(DownloadError, match=rf'{name}.*Fetch {url} .* put it at {tmp_path}/a.pt'):
        fetch(url, tmp_path / 'a.pt')
    with pytest.raises(DownloadError, match='forbids the network'):
        fetch_hub('hf-hub:org/name')
    assert not server.asked


def test_no_network_is_a_clear_error(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError('Network is unreachable')

    monkeypatch.setattr(socket, 'create_connection', refuse)
    with pytest.raises(DownloadError, match=r'cannot reach http://x/a.pt: .*unreachable. No net'):
        fetch('http://x/a.pt', tmp_path / 'a.pt')
    assert files(tmp_path) == []


def test_server_errors_are_told_apart(server, tmp_path):
    with pytest.raises(NotPublished, match='answered 404'):
        fetch(server.url + '/none.pt', tmp_path / 'a.pt')
    server.put('/broken.pt', status=500)
    with pytest.raises(DownloadError, match='answered 500'):
        fetch(server.url + '/broken.pt', tmp_path / 'a.pt')


def hub(server, monkeypatch, names, etag=SHA, repo='org/name'):
    """The Hub: a redirect that carries the digest, then the storage."""
    monkeypatch.setenv('HF_ENDPOINT', server.url)
    for name in names:
        server.put(f'/storage/{name}')
        server.put(
            f'/{repo}/resolve/main/{name}',
            b'',
            302,
            X_Linked_Etag=f'"{etag}"',
            Location=f'{server.url}/storage/{name}',
        )


@pytest.mark.parametrize(
    'names',
    [
        ('open_clip_config.json', 'open_clip_model.safetensors'),
        ('open_clip_config.json', 'open_clip_pytorch_model.bin'),
        ('config.json', 'model.safetensors'),
        ('config.json', 'pytorch_model.bin'),
    ],
)
def test_hub_folders_in_any_layout(names, server, monkeypatch):
    hub(server, monkeypatch, names)
    folder = fetch_hub('hf-hub:org/name')
    assert folder == cache_dir() / 'hf-hub' / 'org--name'
    assert set(files(folder)) >= set(names)
    asked = len(server.asked)
    assert fetch_hub('org/name/') == folder
    assert len(server.asked) == asked


def test_hub_digest_on_the_redirect_is_checked(server, monkeypatch):
    hub(server, monkeypatch, ('config.json', 'model.safetensors'), etag='0' * 64)
    with pytest.raises(DownloadError, match='expected 0000'):
        fetch_hub('hf-hub:org/name')


def test_hub_repository_without_a_clip_names_what_was_looked_for(server, monkeypatch):
    monkeypatch.setenv('HF_ENDPOINT', server.url)
    with pytest.raises(NotPublished, match=r'org/name on .*gated.*open_clip_config.json \+ open_c'):
        fetch_hub('hf-hub:org/name')
    with pytest.raises(ValueError, match="'hf-hub:name' is no Hub id; write 'hf-hub:organisation"):
        fetch_hub('hf-hub:name')


def test_files_of_huggingface_hubs_own_cache_are_used(server, monkeypatch, tmp_path):
    monkeypatch.setenv('HF_ENDPOINT', server.url)
    snapshot = tmp_path / 'hf' / 'models--org--name' / 'snapshots' / 'abc'
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / 'refs').mkdir()
    (snapshot.parents[1] / 'refs' / 'main').write_text('abc')
    for name in ('config.json', 'model.safetensors'):
        (snapshot / name).write_bytes(BODY)
    monkeypatch.setenv('ZSCLIP_OFFLINE', '1')
    assert fetch_hub('hf-hub:org/name') == snapshot
    facts = Published('a', 't', server.url + '/a.pt', 'org/name/', 'gelu', CLIP_MEAN, CLIP_STD)
    assert fetch_published(facts) == snapshot
    assert not server.asked


def test_published_weights_come_from_the_url_then_from_the_hub(server, monkeypatch):
    url = server.put(f'/{SHA}/ViT.pt')
    facts = Published('a', 't', url, 'org/name/', 'gelu', CLIP_MEAN, CLIP_STD)
    assert fetch_published(facts) == cache_dir() / 'clip' / 'ViT.pt'
    hub(server, monkeypatch, ('open_clip_config.json', 'open_clip_model.safetensors'))
    gone = Published('a', 't', server.url + '/gone.pt', 'org/name/', 'gelu', CLIP_MEAN, CLIP_STD)
    assert fetch_published(gone) == cache_dir() / 'hf-hub' / 'org--name'
    none = Published('a', 't', server.url + '/gone.pt', 'org/other/', 'gelu', CLIP_MEAN, CLIP_STD)
    with pytest.raises(DownloadError, match='gone.pt: the server answered 404'):
        fetch_published(none)


def test_weights_of_openais_own_package_are_used(server, tmp_path):
    folder = tmp_path / 'home' / '.cache' / 'clip'
    folder.mkdir(parents=True)
    (folder / 'ViT.pt').write_bytes(BODY)
    url = server.put(f'/{SHA}/ViT.pt')
    facts = Published('a', 't', url, '', 'quick_gelu', CLIP_MEAN, CLIP_STD)
    assert fetch_published(facts) == folder / 'ViT.pt'
    (folder / 'ViT.pt').write_bytes(b'other')
    assert fetch_published(facts) == cache_dir() / 'clip' / 'ViT.pt'


def test_processes_of_one_run_download_once(server, tmp_path):
    url = server.put('/a.pt')
    threads = [Thread(target=fetch, args=(url, tmp_path / 'a.pt')) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == ['/a.pt']


@pytest.mark.parametrize(
    'record', [b'', b'\n', b'only-one-word', b'\xff\xfe\x00\x01', b'x  y  1 2']
)
def test_a_damaged_record_of_a_good_file_is_passed_over(tmp_path, record):
    path = tmp_path / 'a.pt'
    path.write_bytes(BODY)
    (tmp_path / 'a.pt.sha256').write_bytes(record)
    verify(path, SHA[:8])
    assert (tmp_path / 'a.pt.sha256').read_text().startswith(SHA)


def test_a_good_file_in_a_cache_that_is_read_only_is_used(tmp_path, monkeypatch):
    path = tmp_path / 'a.pt'
    path.write_bytes(BODY)

    def closed(*args):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(download, 'whole_file', closed)
    verify(path, SHA)
    assert not (tmp_path / 'a.pt.sha256').exists()
    with pytest.raises(DownloadError, match='is damaged'):
        verify(path, '0' * 64)


@pytest.mark.parametrize(
    ('name', 'body', 'kind'),
    [
        ('a.pt', b'<!DOCTYPE html><html>please log in</html>', 'a web page'),
        ('a.safetensors', b'\x89PNG\r\n\x1a\n', 'a PNG picture'),
        ('a.bin', b'', 'an empty file'),
        ('a.pt', b'not found', 'a text file'),
        ('config.json', b'<html></html>', 'a web page'),
    ],
)
def test_what_is_no_weights_is_not_kept_as_weights(server, tmp_path, name, body, kind):
    with pytest.raises(DownloadError, match=f'answered with {kind}.*Nothing was kept'):
        fetch(server.put(f'/{name}', body), tmp_path / name)
    assert files(tmp_path) == []


@pytest.fixture
def https(monkeypatch):
    """https:// addresses are answered without TLS, so that a local server can stand for any."""
    monkeypatch.setattr(
        urllib.request.HTTPSHandler,
        'https_open',
        lambda self, request: self.do_open(HTTPConnection, request),
    )


@pytest.mark.parametrize('digest', ['', SHA], ids=['no digest', 'digest'])
def test_a_redirect_from_https_to_http_is_refused_before_it_is_asked(
    server, https, digest, tmp_path
):
    secure = server.url.replace('http:', 'https:')
    away = server.put('/away.pt')
    server.put('/hop.pt', b'', 302, Location=away)
    server.put('/a.pt', b'', 302, Location=f'{secure}/hop.pt')
    with pytest.raises(
        DownloadError, match=r'hop.pt redirects to http://\S+/away.pt, which is not h'
    ):
        fetch(f'{secure}/a.pt', tmp_path / 'a.pt', digest)
    assert '/away.pt' not in server.asked
    assert files(tmp_path) == []


def test_redirects_within_https_are_followed(server, https, tmp_path):
    secure = server.url.replace('http:', 'https:')
    server.put('/b.pt')
    server.put('/a.pt', b'', 302, Location=f'{secure}/b.pt')
    assert fetch(f'{secure}/a.pt', tmp_path / 'a.pt').read_bytes() == BODY


@pytest.mark.parametrize('read', ['checkpoint', 'hub'])
def test_every_way_to_download_refuses_a_redirect_to_http(read, server, https, monkeypatch):
    from mmseg_zsclip.checkpoints import CheckpointError, read_checkpoint

    secure = server.url.replace('http:', 'https:')
    for path in ('/a.pth', '/org/name/resolve/main/open_clip_config.json'):
        server.put(path, b'', 302, Location=server.put(f'/away{path}'))
    monkeypatch.setenv('HF_ENDPOINT', secure)
    with pytest.raises((CheckpointError, DownloadError), match='which is not https'):
        read_checkpoint(f'{secure}/a.pth') if read == 'checkpoint' else fetch_hub('org/name')
