/** 1-D convolutions with PyTorch's arguments and parameter names, on sequences [N, 1, T, C]: maps one pixel high. */
import { Conv2d, type Conv2dOptions } from './conv.js';
import { Parameter } from './module.js';

export interface Conv1dOptions extends Pick<Conv2dOptions, 'groups' | 'bias'> {
  stride?: number;
  padding?: number;
  dilation?: number;
}

/** `torch.nn.Conv1d`: x [N, 1, T, C] -> [N, 1, T', O]. Checkpoints store its weights without the axis of size one. */
export class Conv1d extends Conv2d {
  constructor(inChannels: number, outChannels: number, kernel: number, options: Conv1dOptions = {}) {
    const { stride = 1, padding = 0, dilation = 1, groups, bias } = options;
    super(inChannels, outChannels, [1, kernel], {
      ...{ stride: [1, stride], padding: [0, padding], dilation: [1, dilation] },
      ...{ groups, bias },
    });
    this.weight = new Parameter([outChannels, this.weight.shape[1], kernel]);
  }

  override prepare(): void {
    const [out, inputs, kernel] = this.weight.shape;
    this.weight = new Parameter([out, inputs, 1, kernel], { value: this.weight.value });
    super.prepare();
  }
}
