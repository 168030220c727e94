"""Networks from files: checkpoints of `train.py` and the shipped file of `export.py`."""
import json
import struct

import numpy as np
import torch

from model import build


def load(path):
    """The network of a file, on the CPU, for evaluation."""
    if path.endswith('.safetensors'):
        config, state_dict = read_export(path)
    else:
        c = torch.load(path, map_location='cpu')
        config, state_dict = c['config'], c['state_dict']
    net = build(config).eval()
    missing, unexpected = net.load_state_dict(state_dict, strict=False)
    wrong = [k for k in missing if not k.endswith('num_batches_tracked')] + unexpected
    if wrong:
        raise SystemExit(f'{path}: these keys do not match its config: {wrong}')
    return net


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
