_base_ = './maskclip_r50_context59.py'
model = dict(decode_head=dict(ks_thresh=1.0, pd_thresh=0.5))
