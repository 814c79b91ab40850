"""Eight corruptions of ImageNet-C (Hendrycks and Dietterich, ICLR 2019), those of MaskCLIP's tables
1b and 4, at its five severities.

The parameters are ImageNet-C's, made for pictures of 224 pixels a side: lengths are in pixels and
are not scaled, so a picture half as large is blurred twice as much.

Libraries tried on Python 3.11 with numpy 2.4, scikit-image 0.26 and OpenCV 5 (November 2026).
`imagecorruptions` 1.1.2 (2020) fails on gaussian_blur; `imgcorr` 1.1.3 (2024) needs
`pkg_resources`, which setuptools 82 dropped; `imagecorruptions-imaug` 1.1.5 (2026) runs all eight.
It is not used: its noise comes from numpy's global state or the system's entropy, so no picture is
the same twice, and it brings numba and OpenCV's desktop wheel. The strengths here equal its own
(`tests/datasets/transforms/test_corrupt.py`).
"""

import os.path as osp
import zlib

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS

WATER = np.array((238, 238, 175), np.float32) / 255  # BGR
MUD = np.array((20, 42, 63), np.float32) / 255

# Each function: image (H, W, 3) in 0..1, BGR -> the same, where values may lie outside 0..1.


def gaussian_noise(image: np.ndarray, rng: np.random.Generator, scale: float) -> np.ndarray:
    return image + rng.normal(0, scale, image.shape)


def shot_noise(image: np.ndarray, rng: np.random.Generator, photons: int) -> np.ndarray:
    """Every value is a count of photons, `photons` of them at 1."""
    return rng.poisson(image * photons) / photons


def impulse_noise(image: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """This share of the values, channel by channel, turns to 0 or 1, half of them to each."""
    dice = rng.random(image.shape)
    return np.where(dice < share / 2, 0, np.where(dice < share, 1, image))


def speckle_noise(image: np.ndarray, rng: np.random.Generator, scale: float) -> np.ndarray:
    return image + image * rng.normal(0, scale, image.shape)


def gaussian_blur(image: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    side = 2 * int(4 * sigma + 0.5) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)


def defocus_blur(
    image: np.ndarray, rng: np.random.Generator, radius: int, edge: float
) -> np.ndarray:
    """Mean over a disk whose rim is softened by a Gaussian of standard deviation `edge`."""
    reach, rim = (8, 3) if radius <= 8 else (radius, 5)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.float32)
    return cv2.filter2D(image, -1, cv2.GaussianBlur(disk / disk.sum(), (rim, rim), edge))


def water(
    image: np.ndarray, rng: np.random.Generator, sigma: float, threshold: float, strength: float
) -> np.ndarray:
    """Drops where smooth noise is above a threshold, bright within, in relief at their rims."""
    liquid = gaussian_blur(rng.normal(0.65, 0.3, image.shape[:2]), rng, sigma)
    liquid = np.where(liquid < threshold, 0, np.clip(liquid * 255, 0, 255)).astype(np.uint8)
    depth = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    depth = cv2.equalizeHist(cv2.blur(np.minimum(depth, 20), (3, 3)).astype(np.uint8))
    relief = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)
    depth = cv2.blur(cv2.filter2D(depth, cv2.CV_8U, relief), (3, 3))
    light = liquid * depth.astype(np.float32)
    return image + strength * light[..., None] / max(light.max(), 1) * WATER


def mud(image: np.ndarray, rng: np.random.Generator, mean: float, std: float) -> np.ndarray:
    """Opaque splashes where smooth noise is above 0.65, none where too small."""
    liquid = gaussian_blur(rng.normal(mean, std, image.shape[:2]), rng, 1)
    cover = gaussian_blur((liquid > 0.65).astype(np.float32), rng, 1.5)[..., None]
    cover[cover < 0.8] = 0
    return image * (1 - cover) + cover * MUD


def jpeg_compression(image: np.ndarray, rng: np.random.Generator, quality: int) -> np.ndarray:
    written = cv2.imencode(
        '.jpg', np.rint(image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return cv2.imdecode(written, cv2.IMREAD_COLOR) / 255


# Kind -> function and its parameters at severities 1 to 5.
SEVERITIES = {
    'gaussian_noise': [(gaussian_noise, (s,)) for s in (0.08, 0.12, 0.18, 0.26, 0.38)],
    'shot_noise': [(shot_noise, (n,)) for n in (60, 25, 12, 5, 3)],
    'impulse_noise': [(impulse_noise, (s,)) for s in (0.03, 0.06, 0.09, 0.17, 0.27)],
    'speckle_noise': [(speckle_noise, (s,)) for s in (0.15, 0.2, 0.35, 0.45, 0.6)],
    'gaussian_blur': [(gaussian_blur, (s,)) for s in (1, 2, 3, 4, 6)],
    'defocus_blur': [
        (defocus_blur, p) for p in ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))
    ],
    'spatter': [
        (water, (4, 0.69, 0.6)),
        (water, (3, 0.68, 0.6)),
        (water, (2, 0.68, 0.5)),
        (mud, (0.65, 0.3)),
        (mud, (0.67, 0.4)),
    ],
    'jpeg_compression': [(jpeg_compression, (q,)) for q in (25, 18, 15, 10, 7)],
}


@TRANSFORMS.register_module()
class Corrupt(BaseTransform):
    """Corrupts the image; put it directly behind `LoadImageFromFile`. A file of the same name
    gets the same noise in every run and worker.

    Required key: `img_path`, which seeds the noise by its last part. Modified key: `img`
    (H, W, 3) uint8, BGR.

    Args:
        kind: one of `SEVERITIES`: `'gaussian_noise'`, `'shot_noise'`, `'impulse_noise'`,
            `'speckle_noise'`, `'gaussian_blur'`, `'defocus_blur'`, `'spatter'`,
            `'jpeg_compression'`.
        severity: 1 (mild) to 5.
        seed: another number gives other noise.

    Raises:
        ValueError: unknown kind or severity, or an image that is not (H, W, 3) uint8.
    """

    def __init__(self, kind: str, severity: int, seed: int = 0) -> None:
        if kind not in SEVERITIES:
            raise ValueError(f'Corrupt: unknown kind {kind!r}; legal: {", ".join(SEVERITIES)}.')
        if severity not in (1, 2, 3, 4, 5):
            raise ValueError(
                f'Corrupt: unknown severity {severity!r}; legal: 1, 2, 3, 4, 5. Leave the'
                ' transform out for clean images.'
            )
        self.kind = kind
        self.severity = severity
        self.seed = seed

    def transform(self, results: dict) -> dict:
        image = results['img']
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f'Corrupt: img is {image.dtype} of shape {image.shape}; legal: uint8 (H, W, 3).'
                ' Put it directly behind LoadImageFromFile, before anything that normalises.'
            )
        key = f'{self.kind} {osp.basename(results["img_path"])}'
        rng = np.random.default_rng([self.seed, zlib.crc32(key.encode())])
        function, parameters = SEVERITIES[self.kind][self.severity - 1]
        corrupted = function(image / np.float32(255), rng, *parameters)
        results['img'] = np.rint(np.clip(corrupted, 0, 1) * 255).astype(np.uint8)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(kind={self.kind!r}, severity={self.severity}, seed={self.seed})'
        )
