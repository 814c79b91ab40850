# CamVid split by drive: trained on 0001TP and 0016E5, tested on the photos of 0006R0, a street
# that training never saw. For the validation clip of a training drive, take camvid.py's.
_base_ = './camvid.py'

train_dataloader = dict(dataset=dict(drives=('0001TP', '0016E5')))
val_dataloader = dict(
    dataset=dict(
        drives=('0006R0',),
        data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'),
    )
)
test_dataloader = val_dataloader
