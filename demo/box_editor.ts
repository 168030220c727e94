/**
 * People boxes on the picture: drawn by dragging, moved, resized and removed by mouse, touch or keyboard. Positions are kept in
 * source pixels and shown in percent, so that they hold at any size on the page, mirrored too.
 */
import { make } from './dom.js';

/** px, source pixels */
export interface Box {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/** A shorter drag is a click, not a box. */
const SMALLEST_PX = 8;
const KEY_STEP = 0.01;

interface Point {
  readonly x: number;
  readonly y: number;
}

export class BoxEditor {
  readonly #layer: HTMLElement;
  readonly #media: HTMLElement;
  readonly #onChange: () => void;
  readonly #boxes: { box: Box; element: HTMLElement }[] = [];
  #width = 1;
  #height = 1;
  #drawWithTouch = false;

  /** @param onChange - called once a drag or a key press has ended */
  constructor(layer: HTMLElement, media: HTMLElement, onChange: () => void) {
    this.#layer = layer;
    this.#media = media;
    this.#onChange = onChange;
    layer.addEventListener('pointerdown', (event) => this.#startDrawing(event));
  }

  get boxes(): readonly Box[] {
    return this.#boxes.map(({ box }) => box);
  }

  /** Sets the picture's size and removes all boxes. */
  reset(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
    this.clear();
  }

  clear(): void {
    for (const { element } of this.#boxes.splice(0)) element.remove();
  }

  /** Drawing by touch has to be asked for, or a finger could not scroll the page. */
  set drawWithTouch(on: boolean) {
    this.#drawWithTouch = on;
    this.#media.classList.toggle('drawing', on);
  }

  /** A box in the middle, focused, for those who do not drag. */
  addCentred(): void {
    const [w, h] = [this.#width, this.#height];
    const entry = this.#add({ x1: w * 0.3, y1: h * 0.15, x2: w * 0.7, y2: h * 0.85 });
    entry.element.focus();
    this.#onChange();
  }

  #add(box: Box): { box: Box; element: HTMLElement } {
    const element = make('div', '', { class: 'box', tabindex: '0', role: 'group' });
    const entry = { box, element };
    element.append(make('span'), make('i', '', { 'aria-hidden': 'true' }));
    element.addEventListener('pointerdown', (event) => this.#startMoving(event, entry));
    element.addEventListener('keydown', (event) => this.#onKey(event, entry));
    this.#boxes.push(entry);
    this.#layer.append(element);
    this.#place();
    return entry;
  }

  #remove(entry: { box: Box; element: HTMLElement }): void {
    const at = this.#boxes.indexOf(entry);
    this.#boxes.splice(at, 1);
    entry.element.remove();
    this.#place();
    (this.#boxes[at] ?? this.#boxes.at(-1))?.element.focus();
    this.#onChange();
  }

  #place(): void {
    this.#boxes.forEach(({ box, element }, i) => {
      const percent = (value: number, size: number) => `${(100 * value) / size}%`;
      element.style.left = percent(box.x1, this.#width);
      element.style.top = percent(box.y1, this.#height);
      element.style.width = percent(box.x2 - box.x1, this.#width);
      element.style.height = percent(box.y2 - box.y1, this.#height);
      element.firstElementChild!.textContent = String(i + 1);
      element.setAttribute('aria-label', `Person ${i + 1}: ${describe(box)}. Arrow keys move, Delete removes.`);
    });
  }

  #startDrawing(event: PointerEvent): void {
    if (event.button !== 0 || event.target !== this.#layer) return;
    if (event.pointerType === 'touch' && !this.#drawWithTouch) return;
    event.preventDefault();
    const from = this.#pointOf(event);
    const entry = this.#add({ x1: from.x, y1: from.y, x2: from.x, y2: from.y });
    this.#follow(
      event,
      (to) => Object.assign(entry.box, spanned(from, to)),
      () => {
        const { box } = entry;
        if (Math.min(box.x2 - box.x1, box.y2 - box.y1) >= SMALLEST_PX) this.#onChange();
        else this.#remove(entry);
      },
    );
  }

  #startMoving(event: PointerEvent, entry: { box: Box; element: HTMLElement }): void {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    entry.element.focus();
    const from = this.#pointOf(event);
    const start = { ...entry.box };
    const resizes = (event.target as HTMLElement).localName === 'i';
    this.#follow(
      event,
      (to) => {
        const dx = to.x - from.x;
        const dy = to.y - from.y;
        if (resizes) this.#resize(entry.box, start.x2 + dx, start.y2 + dy);
        else this.#move(entry.box, start.x1 + dx, start.y1 + dy);
      },
      () => {
        if (describe(start) !== describe(entry.box)) this.#onChange();
      },
    );
  }

  /** Follows one pointer until it is released, wherever it goes. */
  #follow(event: PointerEvent, onMove: (to: Point) => void, onEnd: () => void): void {
    const stop = new AbortController();
    const { signal } = stop;
    const same = (e: PointerEvent) => e.pointerId === event.pointerId;
    const move = (e: PointerEvent) => {
      if (!same(e)) return;
      onMove(this.#pointOf(e));
      this.#place();
    };
    const end = (e: PointerEvent) => {
      if (!same(e)) return;
      stop.abort();
      onEnd();
    };
    window.addEventListener('pointermove', move, { signal });
    window.addEventListener('pointerup', end, { signal });
    window.addEventListener('pointercancel', end, { signal });
  }

  #onKey(event: KeyboardEvent, entry: { box: Box; element: HTMLElement }): void {
    if (event.key === 'Delete' || event.key === 'Backspace') {
      event.preventDefault();
      this.#remove(entry);
      return;
    }
    const mirrored = this.#media.classList.contains('mirrored') ? -1 : 1;
    const dx = { ArrowLeft: -mirrored, ArrowRight: mirrored }[event.key] ?? 0;
    const dy = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
    if (dx === 0 && dy === 0) return;
    event.preventDefault();
    const { box } = entry;
    const [stepX, stepY] = [dx * this.#width * KEY_STEP, dy * this.#height * KEY_STEP];
    if (event.shiftKey) this.#resize(box, box.x2 + stepX, box.y2 + stepY);
    else this.#move(box, box.x1 + stepX, box.y1 + stepY);
    this.#place();
    this.#onChange();
  }

  #move(box: Box, x: number, y: number): void {
    const [w, h] = [box.x2 - box.x1, box.y2 - box.y1];
    box.x1 = Math.max(0, Math.min(this.#width - w, x));
    box.y1 = Math.max(0, Math.min(this.#height - h, y));
    box.x2 = box.x1 + w;
    box.y2 = box.y1 + h;
  }

  #resize(box: Box, x2: number, y2: number): void {
    box.x2 = Math.max(box.x1 + SMALLEST_PX, Math.min(this.#width, x2));
    box.y2 = Math.max(box.y1 + SMALLEST_PX, Math.min(this.#height, y2));
  }

  /** Pointer position in source pixels, inside the picture. */
  #pointOf(event: PointerEvent): Point {
    const frame = this.#media.getBoundingClientRect();
    const part = (event.clientX - frame.left) / frame.width;
    const x = this.#media.classList.contains('mirrored') ? 1 - part : part;
    const y = (event.clientY - frame.top) / frame.height;
    return { x: clamp01(x) * this.#width, y: clamp01(y) * this.#height };
  }
}

function spanned(a: Point, b: Point): Box {
  return { x1: Math.min(a.x, b.x), y1: Math.min(a.y, b.y), x2: Math.max(a.x, b.x), y2: Math.max(a.y, b.y) };
}

function clamp01(value: number): number {
  return Math.max(0, Math.min(1, value));
}

function describe({ x1, y1, x2, y2 }: Box): string {
  return `${Math.round(x2 - x1)} by ${Math.round(y2 - y1)} pixels at ${Math.round(x1)}, ${Math.round(y1)}`;
}
