"""Label maps as the files that labelling tools and trainers read, one format a file."""

FORMATS = ('png', 'coco', 'cvat', 'labelme', 'yolo')
