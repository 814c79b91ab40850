"""What mmcv says about the compiler that built its ops."""


def get_compiler_version() -> str:
    """No compiler: these ops are Python."""
    return 'none (mmseg_zsclip.ops)'


def get_compiling_cuda_version() -> str:
    """No CUDA toolkit: these ops are Python."""
    return 'none (mmseg_zsclip.ops)'
