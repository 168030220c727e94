"""Networks from files: checkpoints of `train.py` and the shipped file of `export.py`."""
import json
import struct

import numpy as np
import torch

from model import build


def load(path):
    """The network of a file, on the CPU, for evaluation."""
    return network(*read(path), path)


def load_mean(paths):
    """(config, network with the mean of the files' weights): of runs that began with the same ones (Wortsman et al. 2022, model soups)."""
    configs, states = zip(*map(read, paths))
    if any(c != configs[0] for c in configs):
        raise SystemExit(f'{paths}: these are different networks')
    mean = {k: torch.stack([s[k] for s in states]).mean(0) if v.is_floating_point() else v for k, v in states[0].items()}
    return configs[0], network(configs[0], mean, ', '.join(paths))


def network(config, state_dict, name):
    net = build(config).eval()
    missing, unexpected = net.load_state_dict(state_dict, strict=False)
    wrong = [k for k in missing if not k.endswith('num_batches_tracked')] + unexpected
    if wrong:
        raise SystemExit(f'{name}: these keys do not match its config: {wrong}')
    return net


def read(path):
    """(config, state_dict)."""
    if path.endswith('.safetensors'):
        return read_export(path)
    c = torch.load(path, map_location='cpu')
    return c['config'], c['state_dict']


def read_export(path):
    """(config, state_dict as float32) of a file of `export.py`, which leaves out num_batches_tracked."""
    with open(path, 'rb') as f:
        header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
        data = f.read()
    metadata = header.pop('__metadata__')
    state_dict = {}
    for k, v in header.items():
        start, end = v['data_offsets']
        state_dict[k] = torch.from_numpy(np.frombuffer(data[start:end], '<f2').astype(np.float32)).reshape(v['shape'])
    return json.loads(metadata['inpose.config']), state_dict
