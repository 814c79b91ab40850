# Protocol 'windows', that of SCLIP (ECCV 2024) and the papers that follow it: a short side of 336,
# windows of 224 pixels every 112, CLIP's 80 templates, and words for the background.
# Cityscapes is taken at 560.
protocol = 'windows'
templates = 'imagenet'
inference = dict(mode='slide', crop_size=(224, 224), stride=(112, 112))
resize = dict(type='Resize', scale=(2048, 336), keep_ratio=True)
resize_of = dict(cityscapes=dict(scale=(2048, 560)))
background_of = dict(
    voc21='background26', coco_object='background25'
)  # 'bed' is a class of the latter
