"""What the package claims of itself, measured: claims, pre-training, the report page. Evidence and
no product: only tools and the table of `zsclip`'s commands, which names `report`, reach in here.
"""
