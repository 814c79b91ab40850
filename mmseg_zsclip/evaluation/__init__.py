from .instance_precision import InstanceAPMetric
from .panoptic_quality import PanopticQualityMetric
from .proposal_quality import ProposalMetric
from .zero_shot_iou import ZeroShotIoUMetric

__all__ = ['InstanceAPMetric', 'PanopticQualityMetric', 'ProposalMetric', 'ZeroShotIoUMetric']
