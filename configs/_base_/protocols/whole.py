# Protocol 'whole', that of MaskCLIP's paper (section 4): the whole image with a short side of 512,
# and the 85 templates of ViLD. PASCAL Context is taken at 520.
protocol = 'whole'
templates = 'vild'
inference = dict(mode='whole')
resize = dict(type='Resize', scale=(2048, 512), keep_ratio=True)
resize_of = dict(context59=dict(scale=(520, 520)), context60=dict(scale=(520, 520)))
background_of = dict(voc21='background5', coco_object='background5')
