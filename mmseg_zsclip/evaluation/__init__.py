from .zero_shot_iou import ZeroShotIoUMetric

__all__ = ['ZeroShotIoUMetric']
