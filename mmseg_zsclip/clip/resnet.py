"""CLIP's ModifiedResNet, in parts that a method walks: stem, stages, attnpool.

Parameter names are OpenAI's (`conv1`, `layer1.0.downsample.0`, `attnpool.c_proj`, ...), so
published towers load with no renaming. Source: CLIP (Radford et al., 2021), section 2.4:
three-convolution stem, average pooling before every strided convolution, attention instead of
global average pooling.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .vit import resize_positions

EXPANSION = 4
STRIDE = 32


class Bottleneck(nn.Module):
    """1x1, 3x3, (average pool), 1x1 and a shortcut; every convolution has stride 1."""

    def __init__(self, inputs: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        outputs = planes * EXPANSION
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.avgpool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                OrderedDict(
                    [
                        ('-1', nn.AvgPool2d(stride) if stride > 1 else nn.Identity()),
                        ('0', nn.Conv2d(inputs, outputs, 1, bias=False)),
                        ('1', nn.BatchNorm2d(outputs)),
                    ]
                )
            )
        nn.init.zeros_(self.bn3.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(self.avgpool(out)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(out + shortcut)


class AttentionPool2d(nn.Module):
    """Multi-head attention over the cells of a feature map and their mean, one layer, no residual.

    Feature maps are (B, C, h, w), token sequences (B, 1 + h * w, C) with the mean token first.
    """

    def __init__(self, grid: int, width: int, heads: int, output_dim: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f'width {width} is no multiple of heads {heads}.')
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(grid**2 + 1, width) * width**-0.5)
        self.k_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, output_dim)
        for linear in (self.k_proj, self.q_proj, self.v_proj, self.c_proj):
            nn.init.normal_(linear.weight, std=width**-0.5)

    def positions(
        self, grid: tuple[int, int], mode: str = 'bicubic', align_corners: bool = False
    ) -> Tensor:
        """Positions (1 + h * w, C) for a grid (h, w), row 0 the mean token's."""
        return resize_positions(self.positional_embedding, grid, mode, align_corners)

    def embed(self, x: Tensor) -> Tensor:
        """Feature map (B, C, h, w) -> tokens with positions, (B, 1 + h * w, C)."""
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
        return tokens + self.positions(x.shape[-2:]).to(tokens.dtype)

    def split_heads(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, heads, N, C / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def qkv(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of tokens, each (B, heads, N, C / heads)."""
        return (
            self.split_heads(self.q_proj(tokens)),
            self.split_heads(self.k_proj(tokens)),
            self.split_heads(self.v_proj(tokens)),
        )

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """softmax(q k^T / sqrt(C / heads) + mask) v, projected: (B, queries, d)."""
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.c_proj(out.transpose(1, 2).flatten(2))

    def tokens(self, x: Tensor) -> Tensor:
        """Every token attends: (B, C, h, w) -> (B, 1 + h * w, d), the mean token first."""
        return self.attend(*self.qkv(self.embed(x)))

    def values(self, x: Tensor) -> Tensor:
        """c_proj(v_proj(x)) of each cell alone, without positions: (B, C, h, w) -> (B, d, h, w).

        The value path of MaskCLIP, Eqs. 3-4 without query and key.
        """
        out = self.c_proj(self.v_proj(x.flatten(2).transpose(1, 2)))
        return out.transpose(1, 2).unflatten(2, x.shape[-2:])

    def forward(self, x: Tensor) -> Tensor:
        """Only the mean token attends: (B, C, h, w) -> (B, d)."""
        tokens = self.embed(x)
        q = self.split_heads(self.q_proj(tokens[:, :1]))
        k, v = self.split_heads(self.k_proj(tokens)), self.split_heads(self.v_proj(tokens))
        return self.attend(q, k, v)[:, 0]


class ModifiedResNet(nn.Module):
    """CLIP's ResNet. Images are (B, 3, H, W), RGB, normalised with CLIP's statistics.

    H and W need not be the pre-training size: the attention pool's positions follow the map's own
    grid, about H / 32 by W / 32 cells (each halving floors, so pixels past it are not seen).
    """

    def __init__(
        self,
        image_size: int,
        layers: tuple[int, int, int, int],
        width: int,
        heads: int,
        output_dim: int,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.width = width
        self.output_dim = output_dim
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AvgPool2d(2)
        inputs = width
        for index, depth in enumerate(layers):
            planes = width * 2**index
            blocks = [Bottleneck(inputs, planes, stride=1 if index == 0 else 2)]
            inputs = planes * EXPANSION
            blocks += [Bottleneck(inputs, planes) for _ in range(depth - 1)]
            setattr(self, f'layer{index + 1}', nn.Sequential(*blocks))
        self.attnpool = AttentionPool2d(image_size // STRIDE, inputs, heads, output_dim)

    @property
    def stem_parts(self) -> list[nn.Module]:
        """The stem's modules that hold parameters."""
        return [self.conv1, self.bn1, self.conv2, self.bn2, self.conv3, self.bn3]

    @property
    def stages(self) -> list[nn.Module]:
        """The four stages; their maps have strides 4, 8, 16, 32 pixels."""
        return [self.layer1, self.layer2, self.layer3, self.layer4]

    @property
    def stage_widths(self) -> list[int]:
        """Channels of the four stages' maps."""
        return [self.width * EXPANSION * 2**index for index in range(4)]

    def stem(self, img: Tensor) -> Tensor:
        """Image (B, 3, H, W) -> (B, width, H / 4, W / 4)."""
        if min(img.shape[-2:]) < STRIDE:
            raise ValueError(
                f'image is {img.shape[-2]} x {img.shape[-1]} pixels, smaller than one '
                f'cell of {STRIDE} x {STRIDE}; give at least one cell.'
            )
        x = self.relu(self.bn1(self.conv1(img)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.relu(self.bn3(self.conv3(x)))
        return self.avgpool(x)

    def features(self, img: Tensor) -> Tensor:
        """Image -> the last stage's map, (B, 32 * width, h, w)."""
        x = self.stem(img)
        for stage in self.stages:
            x = stage(x)
        return x

    def forward(self, img: Tensor) -> Tensor:
        """Image -> embedding of the whole image (B, d), not normalised."""
        return self.attnpool(self.features(img))
