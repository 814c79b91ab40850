# Table 2, "ST" without a dagger: pixels that annotators left out get pseudo-labels too.
_base_ = ['camvid_transductive.py']
train_dataloader = dict(dataset=dict(setting='transductive-all'))
