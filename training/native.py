"""Compiles C++ sources, this folder's where nothing else is said: nvcc for a GPU, g++ for a CPU."""
import ctypes
import glob
import hashlib
import os
import subprocess

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, 'build')
_loaded = {}


def load(source, cuda, headers={}):
    """The library made of a source file (and of headers, text by file name); compiled and loaded when it is first asked for."""
    if (source, cuda) not in _loaded:
        _loaded[source, cuda] = ctypes.CDLL(compiled(source, cuda, headers))
    return _loaded[source, cuda]


def compiled(source, cuda=False, headers={}):
    """The library's file; compiled where it is not there yet."""
    path = os.path.join(HERE, source)
    if cuda:
        major, minor = torch.cuda.get_device_capability()
        command = ['nvcc', '-O3', '--use_fast_math', f'-arch=sm_{major}{minor}', '-shared', '-Xcompiler', '-fPIC', '-lineinfo']
    else:
        command = ['g++', '-x', 'c++', '-std=c++17', '-O3', '-march=native', '-ffast-math', '-fopenmp', '-shared', '-fPIC']
    text = ''
    for file in [path, *sorted(glob.glob(os.path.join(HERE, '*.h')))]:
        with open(file) as f:
            text += f.read()
    key = hashlib.sha1(' '.join([*command, *headers.values(), text]).encode()).hexdigest()[:12]
    folder = os.path.join(BUILD, key)
    library = os.path.join(folder, os.path.splitext(os.path.basename(source))[0] + '.so')
    if not os.path.exists(library):
        os.makedirs(folder, exist_ok=True)
        for name, content in headers.items():
            with open(os.path.join(folder, name), 'w') as f:
                f.write(content)
        part = f'{library}.{os.getpid()}'
        subprocess.run([*command, '-I', folder, '-I', HERE, path, '-o', part], check=True)
        os.replace(part, library)
    return library


def check(code, what):
    """What a library's function returned: 0, or CUDA's error code."""
    if code:
        raise RuntimeError(f'{what}: CUDA error {code}')


def stream(cuda):
    """What a library's kernels are queued on."""
    return torch.cuda.current_stream().cuda_stream if cuda else 0
