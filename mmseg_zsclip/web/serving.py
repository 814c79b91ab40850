"""The page on an address of this machine; a browser fetches nothing from elsewhere."""

import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING

from .inputs import MOST_BYTES
from .offers import Offers

if TYPE_CHECKING:
    from fastapi import FastAPI

# What a browser may load: this page's own files. Gradio makes functions and styles at run time.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
FONTS = ('system-ui', 'sans-serif')  # the bold of Gradio's own lacks letters


def application(offers: Offers, host: str) -> 'FastAPI':
    """The page as an ASGI app."""
    import gradio as gr
    from fastapi import FastAPI

    from .layout import HERE, Page

    return gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        Page(offers).blocks,
        path='/',
        server_name=host,
        footer_links=[],
        css_paths=HERE / 'page.css',
        max_file_size=MOST_BYTES,
        ssr_mode=False,
        mcp_server=False,
        theme=gr.themes.Base(font=FONTS),
    )


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the port is in use, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise OSError(
            f'cannot listen on {host}, port {port} ({error}). Give a free --port (0 takes any), '
            'and an address of this machine as --host.'
        ) from error


def serve(offers: Offers, host: str, port: int) -> None:
    """Serves the page until Ctrl-C or SIGTERM.

    Raises:
        OSError: see `bound`.
    """
    with bound(host, port) as listening:
        import uvicorn

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as uvicorn raises it again
        config = uvicorn.Config(
            application(offers, host),
            log_level='warning',
            headers=[('Content-Security-Policy', POLICY)],
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        # pages that are open at the end are cut off, which is no error
        logging.getLogger('uvicorn.error').addFilter(lambda _: not server.should_exit)
        shown = f'[{host}]' if ':' in host else host
        print(f'http://{shown}:{listening.getsockname()[1]}  (Ctrl-C ends it)', flush=True)
        server.run(sockets=[listening])
