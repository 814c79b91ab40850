"""The page of `zsclip demo`: photos and words in a browser. Gradio, of the extra `[web]`, is
imported by `layout` and `serving` alone."""
