import { loadAddon } from '../native/load-addon.js';
import { nativeWork } from '../native/native-call.js';

/** RGB pixels, [height,width,3] u8, which nobody else holds: the addon reads them where they are (native/core/image). */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Resizes as `PIL.Image.resize((width, height), BICUBIC)` of Pillow 9.4 does, bit for bit, on a thread of its own.
 * @throws the signal's reason, OUT_OF_MEMORY
 */
export async function resize(
  image: RgbImage,
  width: number,
  height: number,
  signal: AbortSignal | undefined,
): Promise<RgbImage> {
  if (image.width === width && image.height === height) return image;
  const { addon } = loadAddon();
  const data = await nativeWork(addon, signal, cancel =>
    addon.resizeImage(image.data, image.width, image.height, width, height, cancel),
  );
  return { data, width, height };
}
