/** Opens pictures, videos and the webcam on the page's own elements. One is open at a time; opening the next closes it. */
import { DemoError } from './messages.js';

export type MediaKind = 'photo' | 'video' | 'webcam';

export interface Media {
  readonly kind: MediaKind;
  /** For the title of a download. */
  readonly name: string;
  /** px, source pixels */
  readonly width: number;
  readonly height: number;
  readonly element: HTMLImageElement | HTMLVideoElement;
  /** Stops cameras, frees object URLs. */
  close(): void;
}

/**
 * Shows a picture.
 *
 * @throws DemoError when the browser cannot decode it
 */
export async function openPhoto(img: HTMLImageElement, source: Blob | string, name: string): Promise<Media> {
  const url = typeof source === 'string' ? source : URL.createObjectURL(source);
  const close = () => {
    if (typeof source !== 'string') URL.revokeObjectURL(url);
  };
  // Decoded apart from the page, so that a broken file leaves the picture on the page as it is.
  const probe = new Image();
  probe.src = url;
  try {
    await probe.decode();
  } catch {
    close();
    throw new DemoError(
      'This picture cannot be opened',
      `"${name}" is damaged or of a kind that this browser does not read. Try a JPEG, PNG or WebP file.`,
    );
  }
  img.src = url;
  img.alt = `Picture: ${name}`;
  await img.decode();
  return { kind: 'photo', name, width: img.naturalWidth, height: img.naturalHeight, element: img, close };
}

/**
 * Plays a video file, muted and in a loop.
 *
 * @throws DemoError when the browser cannot decode it
 */
export async function openVideo(video: HTMLVideoElement, file: File): Promise<Media> {
  const url = URL.createObjectURL(file);
  const close = () => {
    video.pause();
    video.removeAttribute('src');
    video.load();
    URL.revokeObjectURL(url);
  };
  video.src = url;
  try {
    await firstFrame(video);
  } catch {
    close();
    throw new DemoError(
      'This video cannot be played',
      `"${file.name}" is damaged or uses a codec that this browser does not have. Try MP4 (H.264) or WebM.`,
    );
  }
  return { kind: 'video', name: file.name, ...sizeOf(video), element: video, close };
}

/**
 * Starts the webcam.
 *
 * @throws DemoError when there is none, when it was refused, or when another program holds it
 */
export async function openWebcam(video: HTMLVideoElement): Promise<Media> {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices?.getUserMedia) {
    throw new DemoError(
      'The webcam is not reachable',
      'Browsers give it to secure pages only: open this page over https or from localhost.',
    );
  }
  let stream: MediaStream;
  try {
    stream = await devices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 } }, audio: false });
  } catch (error) {
    throw webcamError(error);
  }
  video.srcObject = stream;
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  try {
    await firstFrame(video);
  } catch {
    close();
    throw new DemoError('The webcam sends no picture', 'Close other programs that may hold it, then try again.');
  }
  return { kind: 'webcam', name: 'webcam', ...sizeOf(video), element: video, close };
}

/** The words for what `getUserMedia` rejects with. */
function webcamError(error: unknown): DemoError {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return new DemoError(
        'The webcam was refused',
        'Allow the camera for this page (the icon beside the address), then press Webcam again.',
      );
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new DemoError('No webcam found', 'Connect one and press Webcam again, or open a picture or a video.');
    case 'NotReadableError':
      return new DemoError('The webcam is in use', 'Another program holds it. Close that program, then try again.');
    default:
      return new DemoError('The webcam did not start', error instanceof Error ? error.message : String(error));
  }
}

function sizeOf(video: HTMLVideoElement): { width: number; height: number } {
  return { width: video.videoWidth, height: video.videoHeight };
}

/** Resolves when a frame with a size is there and playing. */
async function firstFrame(video: HTMLVideoElement): Promise<void> {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
    await new Promise<void>((resolve, reject) => {
      video.addEventListener('loadeddata', () => resolve(), { once: true });
      video.addEventListener('error', () => reject(new Error('video error')), { once: true });
    });
  }
  await video.play();
  if (video.videoWidth === 0) throw new Error('no picture in this file');
}
